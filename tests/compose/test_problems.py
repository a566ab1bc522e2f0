"""Every problem at once, each with its place, its line and what to do."""

from __future__ import annotations

import pytest

from defang_nb.errors import ComposeError
from defang_nb.model.source import format_diagnostic

WRONG = """\
name: shop
services:
  web:
    immage: nginx
    image: nginx
    user: 1000
    ports:
      - "80:80"
      - 80:eighty
    depends_on: [dbb]
    networks: [front]
  db:
    image: postgres
    healthcheck: {interval: 10}
volumes: {data: {driverr: local}}
"""


def test_all_problems_of_a_file_are_told_at_once_in_its_order(folder) -> None:
    found = [(str(each.position), each.code, each.path) for each in folder.refused(WRONG)]
    assert found == [
        ("compose.yaml:4:5", "unknown-key", "services.web.immage"),
        ("compose.yaml:6:11", "wrong-type", "services.web.user"),
        ("compose.yaml:9:9", "wrong-port", "services.web.ports[1]"),
        ("compose.yaml:10:18", "unknown-service", "services.web.depends_on.dbb"),
        ("compose.yaml:11:16", "unknown-network", "services.web.networks.front"),
        ("compose.yaml:14:29", "wrong-type", "services.db.healthcheck.interval"),
        ("compose.yaml:15:18", "unknown-key", "volumes.data.driverr"),
    ]


def test_a_problem_quotes_its_line_and_says_what_was_meant(folder) -> None:
    first, second, *_ = folder.refused(WRONG)
    assert first.excerpt == "    immage: nginx"
    assert first.hint == 'did you mean "image"?'
    assert first.service == "web"
    assert format_diagnostic(first).splitlines()[:3] == [
        'compose.yaml:4:5: error: unknown key "immage" in services.web',
        "    4 |     immage: nginx",
        "      |     ^",
    ]
    assert second.message == "services.web.user must be a string, but it is a number (1000)"
    assert second.hint == "put the value in quotes"


def test_a_misspelt_service_is_recognised(folder) -> None:
    hints = {each.code: each.hint for each in folder.refused(WRONG)}
    assert hints["unknown-service"] == 'did you mean "db"?'


def test_what_follows_from_a_problem_is_not_told_again(folder) -> None:
    text = "services:\n  web: {image: 7, depends_on: [db]}\n  db: [not, a, service]\n"
    assert [each.path for each in folder.refused(text)] == ["services.web.image", "services.db"]


def test_problems_of_all_files_are_told(folder) -> None:
    found = folder.refused("services: {a: {image: 1}}\n", "services:\n  a: {foo: 1}\n")
    assert [str(each.position) for each in found] == ["compose.yaml:1:23", "over1.yaml:2:7"]


def test_a_problem_in_an_anchor_is_told_once(folder) -> None:
    text = "x-base: &base {image: i, nope: 1}\nservices:\n  a: *base\n  b: *base\n"
    found = folder.refused(text)
    assert {str(each.position) for each in found} == {"compose.yaml:1:26"}


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("services: {a: {image: x, ports: 80}}", "wrong-type", "services.a.ports"),
        ("services: {a: {image: x, environment: {A: [1]}}}", "wrong-type", "services.a.environment.A"),
        ("services: {a: {image: x, environment: [{A: 1}]}}", "wrong-type", "services.a.environment[0]"),
        ("services: {a: {image: x, mem_limit: 12xb}}", "wrong-value", "services.a.mem_limit"),
        ("services: {a: {image: x, restart: allways}}", "wrong-value", "services.a.restart"),
        ("services: {a: {image: x, tty: maybe}}", "wrong-value", "services.a.tty"),
        ("services: {a: {image: x, deploy: {replicas: -1}}}", "wrong-value", "services.a.deploy.replicas"),
        ("services: {a: {image: x, volumes: ['data:/b:ro:x']}}", "wrong-volume", "services.a.volumes[0]"),
        ('services: {a: {image: x, command: "a \'b"}}', "wrong-value", "services.a.command"),
        ("services: {a: {image: x, environment: {D: 2024-01-01}}}", "wrong-type", "services.a.environment.D"),
        ("services: {'a b': {image: x}}", "bad-name", "services.a b"),
        ("services: {a: {command: x}}", "no-image", "services.a"),
        (
            "services: {a: {image: x, network_mode: host, networks: [n]}}\nnetworks: {n: {}}",
            "exclusive-keys",
            "services.a.networks",
        ),
        ("services: {a: {image: x, volumes: ['data:/d']}}", "unknown-volume", "services.a.volumes[0]"),
        ("services: {a: {image: x, depends_on: {b: {}}}, b: {image: x}}", "missing-key", "services.a.depends_on.b"),
        ("services: {a: {image: x}}\nsecrets: {s: {}}", "missing-key", "secrets.s"),
        ("services: {a: {image: x}}\ninclude: [gone.yaml]", "file-missing", "include[0]"),
        ("services: {a: {image: x}}\ninclude: [{path: [1]}]", "wrong-type", "include[0].path[0]"),
        ("services: {a: {image: x}}\ninclude: [{path: 7}]", "wrong-type", "include[0].path"),
        ("services: {a: {image: x, configs: [{target: /x}]}}", "missing-key", "services.a.configs[0].source"),
        ("services: {a: {image: x, env_file: gone.env}}", "file-missing", "services.a.env_file[0]"),
        ("services: {a: {extends: b}}", "unknown-service", "services.a.extends"),
        ("services: {a: {extends: b}, b: {extends: a}}", "extends-cycle", "services.b.extends"),
        ("# nothing here", "empty-file", ""),
        ("[a]", "wrong-type", ""),
    ],
)
def test_refusals(folder, text: str, code: str, place: str) -> None:
    found = folder.refused(text)
    assert (found[0].code, found[0].path) == (code, place)
    assert found[0].position is not None


def test_a_circle_is_shown_whole(folder) -> None:
    text = "services:\n" + "".join(f"  {a}: {{image: x, depends_on: [{b}]}}\n" for a, b in ("ab", "bc", "ca"))
    (found,) = folder.refused(text)
    assert found.message == "services depend on each other in a circle: a → b → c → a"
    assert str(found.position) == "compose.yaml:4:30"


def test_a_long_chain_of_dependencies_is_no_problem(folder) -> None:
    lines = [f"  s{n}: {{image: x, depends_on: [s{n + 1}]}}\n" for n in range(3000)]
    folder.load("services:\n" + "".join(lines) + "  s3000: {image: x}\n")


def test_a_service_named_on_the_command_line_has_to_exist(folder) -> None:
    (found,) = folder.refused("services: {web: {image: x}}", services=["wbe"])
    assert (found.code, found.hint) == ("unknown-service", 'did you mean "web"?')


def test_one_load_tells_of_the_problems_of_every_file(folder) -> None:
    folder.write("more.yaml", "services:\n  job: {image: x, comand: [a]}\n")
    folder.write("base.yaml", "services:\n  base:\n    image: x\n    tty: maybe\n  other: {wrong: 1}\n")
    folder.write("web.env", "A=1\nB C=2\n")
    text = (
        "include: [more.yaml]\nservices:\n  web:\n    extends: {file: base.yaml, service: base}\n"
        "    env_file: web.env\n    immage: x\n    hostname: ${NOT_SET}\n    x-defang-redis: [1]\n"
        "    environment: {PASSWORD: hunter2}\n"
    )
    with pytest.raises(ComposeError) as caught:
        folder.load(text, "services: {web: {user: 7}}\n")
    assert [(str(each.position), each.code) for each in caught.value.diagnostics] == [
        ("compose.yaml:6:5", "unknown-key"),
        ("compose.yaml:7:15", "variable-unset"),
        ("compose.yaml:8:21", "wrong-type"),
        ("compose.yaml:9:19", "likely-secret"),
        ("over1.yaml:1:24", "wrong-type"),
        ("more.yaml:2:19", "unknown-key"),
        ("base.yaml:4:10", "wrong-value"),
        ("web.env:2:1", "env-file-syntax"),
    ]


def test_both_places_of_a_contradiction_between_files_are_told(folder) -> None:
    (found,) = folder.refused("services:\n  a:\n    image: x\n    scale: 2\n", "services: {a: {deploy: {replicas: 3}}}")
    assert str(found.position) == "compose.yaml:4:5"
    assert "over1.yaml:1:25" in found.message
    (found,) = folder.refused("services: {a: {image: x}}\nconfigs: {c: {file: a}}\n", "configs:\n  c:\n    content: b\n")
    assert (str(found.position), "compose.yaml:2:15" in found.message) == ("over1.yaml:3:5", True)


def test_each_step_of_a_circle_is_told(folder) -> None:
    (found,) = folder.refused("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, links: [a]}\n")
    assert "a needs b (compose.yaml:2:30)" in found.hint
    assert "b needs a (compose.yaml:3:25)" in found.hint
    found, *_ = folder.refused("services:\n  a: {extends: b}\n  b: {extends: a}\n")
    assert "a extends b (compose.yaml:2:16)" in found.hint
    assert "b extends a (compose.yaml:3:16)" in found.hint
    folder.write("one.yaml", "include: [two.yaml]\n")
    folder.write("two.yaml", "include: [one.yaml]\n")
    (found,) = folder.refused("include: [one.yaml]\nservices: {a: {image: x}}\n")
    assert str(found.position) == "two.yaml:1:11"
    assert "compose.yaml:1:11, one.yaml:1:11, two.yaml:1:11" in found.hint


def test_findings_without_end_are_cut(folder) -> None:
    text = "services:\n  a:\n    image: x\n" + "".join(f"    k{number}: 1\n" for number in range(1500))
    with pytest.raises(ComposeError, match=r"and 999 more") as caught:
        folder.load(text)
    assert len(caught.value.diagnostics) == 1000


def test_a_string_of_ever_so_many_unset_variables(folder) -> None:
    text = "services: {a: {image: x, hostname: '" + "".join(f"$V{number} " for number in range(20_000)) + "'}}"
    found = folder.load(text, as_compose=True).diagnostics
    assert 0 < len(found) <= 1000


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("services:\n  web:\n  image: x\n", "indent it further, under `web:`"),
        ("web: {image: x}\n", "a service stands under `services:`: write that above it, and indent `web:` and all below it"),
        ("services: {a: 'image:x'}", "put a space after the colon: `image: …`"),
        ("services: {a: {image: x, ports: 80:80}}", 'write it as a list: ["80:80"]'),
        (
            "services: {a: {image: x, cap_add: 'AKIAIOSFODNN7EXAMPLE'}}",
            "write it as a list: `- value` on a line of its own, or [value]",
        ),
        ("services: {a: {image: x, environment: A=b}}", "write KEY: value, or a list: `- KEY=value` on lines of their own"),
        ("services: {a: {image: x, restart: true}}", 'write always, unless-stopped, on-failure or "no"'),
        ("services: {a: {image: x, secrets: [s]}}", "declare it at the top level: `secrets: {s: {file: ./s.txt}}`"),
        ("services: {a: {image: x, volumes: ['vol:/v']}}", "declare it at the top level: `volumes: {vol: {}}`"),
        ("services:\n  a:\n    ports:\n      - 80\n     - 81\n", "the items of a list have to be indented alike"),
        ("services: {a: {image: x, volumes: [{type: bind, src: ., target: /t}]}}", 'did you mean "source"?'),
    ],
)
def test_one_hint_that_says_what_to_write(folder, text: str, hint: str) -> None:
    (found,) = folder.refused(text)
    assert found.hint == hint

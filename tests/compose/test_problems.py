"""Every problem at once, each with its place, its line and what to do."""

from __future__ import annotations

import pytest

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
        ("services: {a: {image: x}}\ninclude: [{path: []}]", "wrong-value", "include[0]"),
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

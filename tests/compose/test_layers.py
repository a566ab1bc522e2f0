"""Override files, extends, include: what lies over what, and what it is relative to."""

from __future__ import annotations

from defang_nb.compose import load

BASE = """\
services:
  a:
    image: x
    command: one two
    environment: {A: 1, B: 1}
    ports: ["80:80", "81:81"]
    volumes: ["./x:/d", "/e"]
    healthcheck: {test: [CMD, a], interval: 5s}
    logging: {driver: json-file, options: {max-size: 1m}}
"""


def test_override_files(folder) -> None:
    over = """\
services:
  a:
    command: [three]
    environment: [B=2]
    ports: ["81:81", "90:90"]
    volumes: ["./y:/d"]
    healthcheck: {test: b}
    logging: {driver: syslog}
"""
    (service,) = folder.services(BASE, over).values()
    assert service["command"] == ["three"]
    assert service["environment"] == {"A": "1", "B": "2"}
    assert [each["target"] for each in service["ports"]] == [80, 81, 90]
    assert [each.get("source") for each in service["volumes"]] == [str(folder.path / "y"), None]
    assert service["healthcheck"] == {"test": ["CMD-SHELL", "b"], "interval": "5s"}
    assert service["logging"] == {"driver": "syslog"}


def test_null_reset_and_override_tags(folder) -> None:
    over = "services:\n  a:\n    command: null\n    ports: !reset []\n    environment: !override {C: 3}\n    image: null\n"
    (service,) = folder.services(BASE, over).values()
    assert service["command"] is None
    assert "ports" not in service
    assert service["environment"] == {"C": "3"}
    assert service["image"] == "x"


def test_a_value_keeps_the_position_of_the_file_it_came_from(folder) -> None:
    project = folder.load(BASE, "services:\n  a:\n    environment: {B: 2}\n    ports: ['90:90']\n").project
    at = {path: str(project.position(path)) for path in ("services.a", "services.a.environment.A", "services.a.environment.B")}
    assert at == {
        "services.a": "over1.yaml:2:3",
        "services.a.environment.A": "compose.yaml:5:19",
        "services.a.environment.B": "over1.yaml:3:19",
    }
    assert str(project.position("services.a.ports[1]")) == "compose.yaml:6:22"
    assert str(project.position("services.a.ports[2].target")) == "over1.yaml:4:13"


def test_extends_another_file_relative_to_it(folder) -> None:
    folder.write(
        "sub/base.yaml", "services:\n  w: {build: ./ctx, extends: v}\n  v: {env_file: v.env}\n  other: {nonsense: 1}\n"
    )
    folder.write("sub/v.env", "V=1\n")
    services = folder.services("services: {a: {extends: {file: sub/base.yaml, service: w}, tty: true}}")
    assert services["a"]["build"]["context"] == str(folder.path / "sub" / "ctx")
    assert services["a"]["environment"] == {"V": "1"}
    assert services["a"]["tty"] is True
    assert list(services) == ["a"]


def test_a_problem_in_an_extended_file_is_placed_there(folder) -> None:
    folder.write("sub/base.yaml", "services:\n  w:\n    image: x\n    prots: []\n")
    (found,) = folder.refused("services: {a: {extends: {file: sub/base.yaml, service: w}}}")
    assert str(found.position) == "sub/base.yaml:4:5"
    assert found.hint == 'did you mean "ports"?'


def test_files_that_extend_each_other_in_a_circle(folder) -> None:
    folder.write("b.yaml", "services: {b: {extends: {file: c.yaml, service: c}}}")
    folder.write("c.yaml", "services: {c: {extends: {file: b.yaml, service: b}}}")
    found = folder.refused("services: {a: {extends: {file: b.yaml, service: b}}}")
    assert [each.code for each in found] == ["extends-cycle"]


def test_include_brings_its_own_folder_and_env_file(folder) -> None:
    folder.write("sub/.env", "T=sub\n")
    folder.write(
        "sub/c.yaml",
        "name: other\nservices: {w: {image: 'y:${T:-none}', build: ., volumes: ['data:/v']}}\nvolumes: {data: {}}\n",
    )
    loaded = folder.load("include: [sub/c.yaml]\nservices: {a: {image: 'q:${T:-main}', depends_on: [w]}}")
    services = loaded.canonical["services"]
    assert (services["a"]["image"], services["w"]["image"]) == ("q:main", "y:sub")
    assert services["w"]["build"]["context"] == str(folder.path / "sub")
    assert loaded.canonical["volumes"] == {"data": {"name": "proj_data"}}
    assert str(loaded.project.position("services.w.image")) == "sub/c.yaml:2:16"


def test_include_that_includes_itself(folder) -> None:
    folder.write("b.yaml", "include: [b.yaml]\nservices: {b: {image: x}}")
    (cycle,) = folder.refused("include: [b.yaml]\nservices: {a: {image: x}}")
    assert (cycle.code, str(cycle.position)) == ("include-cycle", "b.yaml:1:11")


def test_a_file_overrides_and_extends_what_it_includes(folder) -> None:
    folder.write("c.yaml", "services: {a: {image: x, user: u, ports: ['80']}, b: {image: y, build: ./sub}}")
    text = "include: [c.yaml]\nservices:\n  a: {image: z, ports: ['81'], user: }\n  d: {extends: b, image: }"
    services = folder.load(text).canonical["services"]
    assert (services["a"]["image"], services["a"]["user"]) == ("z", "u")
    assert [port["target"] for port in services["a"]["ports"]] == [80, 81]
    assert (services["d"]["image"], services["d"]["build"]["context"]) == ("y", str(folder.path / "sub"))


def test_files_are_named_relative_to_the_project(folder) -> None:
    file = folder.write("compose.yaml", "services: {a: {image: x}}")
    project = load([file], working_dir=folder.path, environ={}).project
    assert project.files == (str(file),)
    assert str(project.position("services.a.image")) == "compose.yaml:1:16"

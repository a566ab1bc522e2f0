"""How a built image is run: command, environment, paths."""

import sys
from pathlib import Path

import pytest

from defang_nb.providers.local.process.images.image import BuiltImage, ImageKind, command_of, environment_of, rewrite

IMAGE = BuiltImage(
    root="/host/root",
    venv="/host/venv",
    workdir="/app",
    env={"PYTHONPATH": "/app:/app/lib", "PATH": "/opt/x/bin:/usr/local/bin:/usr/bin"},
    entrypoint=("run",),
    cmd=("a", "b"),
    path_map={"/app": "/host/root/app", "/usr/local/bin": "/host/venv/bin", "/data": "/host/root/data"},
)


@pytest.mark.parametrize(
    ("entrypoint", "command", "words"),
    [
        (None, None, ["run", "a", "b"]),
        (None, ("c",), ["run", "c"]),
        (None, (), ["run"]),
        (("x",), None, ["x"]),
        (("x",), ("c",), ["x", "c"]),
        ((), ("c",), ["c"]),
        ((), None, []),
        ((), ("python x.py && serve",), ["/bin/sh", "-c", "python x.py && exec serve"]),
        ((), ("sh", "-c", "serve $PORT"), ["sh", "-c", "exec serve $PORT"]),
        (("tini", "-g", "--"), ("serve",), ["serve"]),
    ],
)
def test_commands_as_compose_overrides_them(entrypoint, command, words):
    assert command_of(IMAGE, entrypoint, command) == words


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("/app", "/host/root/app"),
        ("--dir=/app/x", "--dir=/host/root/app/x"),
        ("/app:/data", "/host/root/app:/host/root/data"),
        ("/application", "/application"),
        ("/app.py", "/app.py"),
        ("http://host/app/x", "http://host/app/x"),
        ("sqlite:////app/db", "sqlite:////host/root/app/db"),
        ("file:///app/x", "file:///host/root/app/x"),
        ("x/app", "x/app"),
        ("/usr/local/bin/python", "/host/venv/bin/python"),
        ("plain", "plain"),
    ],
)
def test_container_paths_are_rewritten_and_nothing_else(text, result):
    assert rewrite(text, IMAGE) == result


def test_an_image_moves_with_its_files_but_its_environment_stays():
    moved = IMAGE.at(Path("/copy"))
    assert moved.path_map == {"/app": "/copy/app", "/usr/local/bin": "/host/venv/bin", "/data": "/copy/data"}
    assert moved.host_path(".") == Path("/copy/app")
    assert moved.host_path("/etc/x") == Path("/copy/etc/x")


def test_the_environment():
    env = environment_of(IMAGE, {"PATH": "/bin", "HOME": "/h", "AWS_SECRET_ACCESS_KEY": "s", "PYTHONHOME": "/x"})
    assert env["PATH"].split(":") == ["/opt/x/bin", "/host/venv/bin", "/host/root/usr/local/bin", "/bin"]
    assert env["PYTHONPATH"] == "/host/root/app:/host/root/app/lib"
    assert env["VIRTUAL_ENV"] == "/host/venv"
    assert env["UWSGI_DIE_ON_TERM"] == "true"
    assert env["HOME"] == "/h"
    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONHOME"} & env.keys()


def test_a_node_image_finds_its_packages_programs():
    image = BuiltImage(root="/r", kind=ImageKind.NODE, node="/opt/node", workdir="/app", path_map={"/app": "/r/app"})
    assert environment_of(image, {"PATH": "/bin"})["PATH"].split(":") == [
        "/r/usr/local/bin",
        "/opt/node",
        "/r/app/node_modules/.bin",
        "/bin",
    ]


def test_npx_asks_nobody():
    image = BuiltImage(root="/r", kind=ImageKind.NODE, node="/opt/node")
    assert environment_of(image, {})["npm_config_yes"] == "true"
    assert environment_of(image.at(Path("/r")), {"npm_config_yes": "false"})["npm_config_yes"] == "true"


def test_this_interpreter_is_one_of_the_machines():
    from defang_nb.providers.local.process.images.machine import look

    found = look({"PATH": ""})
    assert found.pythons[f"{sys.version_info[0]}.{sys.version_info[1]}"] == sys.executable
    assert (found.node, found.default_python) == ("", f"{sys.version_info[0]}.{sys.version_info[1]}")

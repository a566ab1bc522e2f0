"""Dockerfiles as recipes: variables, stages, bases, refusals with their line."""

import pytest

from defang_nb.build.dockerfile import parse
from defang_nb.providers.local.process.images.machine import Machine
from defang_nb.providers.local.process.images.recipe import compile_dockerfile
from defang_nb.providers.local.process.images.steps import Copy, Inherit

MACHINE = Machine(
    pythons={"3.11": "/usr/bin/python3.11", "3.13": "/usr/bin/python3.13"},
    node="/n",
    node_major="20",
    programs=frozenset(("npm",)),
)


def recipe(text, machine=MACHINE, target="", **args):
    return compile_dockerfile(parse(text), target, args, machine)


def errors(text, machine=MACHINE):
    return [(each.code, each.position.line) for each in recipe(text, machine).errors]


def test_configuration_of_the_last_stage():
    config = (
        recipe(
            "ARG V=3.11\nFROM python:$V\nARG P=80\nENV A=1 B=$P\nENV C ${A}2 x\nWORKDIR /srv\nWORKDIR app\n"
            'EXPOSE $P 90/udp\nUSER nobody\nSTOPSIGNAL SIGINT\nENTRYPOINT ["a"]\nCMD b $C\n',
            P="8080",
        )
        .stages[-1]
        .config
    )
    assert config.env == {"A": "1", "B": "8080", "C": "12 x"}
    assert (config.workdir, config.exposed, config.user, config.stop_signal) == ("/srv/app", (8080, 90), "nobody", "SIGINT")
    assert (config.entrypoint, config.cmd) == (("a",), ("/bin/sh", "-c", "b $C"))


def test_a_healthcheck_is_kept():
    found = (
        recipe("FROM python\nHEALTHCHECK --interval=1m30s --retries=5 CMD curl -f http://localhost\n")
        .stages[-1]
        .config.healthcheck
    )
    assert (found.test, found.interval, found.retries) == (("CMD-SHELL", "curl -f http://localhost"), 90.0, 5)


def test_only_needed_stages_are_there_and_targets_are_found():
    text = (
        "FROM golang AS unused\nRUN go build\nFROM node:20 AS ui\nRUN npm ci\nFROM python:3.11 AS app\n"
        "COPY --from=ui /dist ./static\nFROM app AS dev\n"
    )
    assert [each.index for each in recipe(text, target="app").stages] == [1, 2]
    assert [each.index for each in recipe(text).stages] == [1, 2, 3]
    assert [each.code for each in recipe(text, target="nothing").errors] == ["target-missing"]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("FROM nginx\nRUN make\n", "base-unsupported", 1),
        ("FROM golang AS b\nRUN go build\nFROM python:3.11\nCOPY --from=b /x /y\n", "base-unsupported", 1),
        ("FROM scratch\n", "base-unsupported", 1),
        ("FROM python:3.11\n\nCOPY --from=nginx:1 /a /b\n", "copy-from-image", 3),
        ("FROM python:3.11\nRUN curl x | sh\n", "run-unsupported", 2),
        ("FROM python:3.11\nRUN --mount=type=secret,id=x pip install y\n", "run-mount", 2),
        ("FROM python:3.11\nADD https://x/y /z\n", "add-remote", 2),
        ("FROM python:2.7\n", "python-version", 1),
        ("FROM python:3.12-slim\n", "python-version", 1),
        ("FROM node:22\n", "node-version", 1),
    ],
)
def test_refusals(text, code, line):
    assert errors(text) == [(code, line)]
    assert "docker engine" in recipe(text).errors[0].hint


def test_node_that_is_not_there():
    assert errors("FROM node:20\n", Machine()) == [("node-missing", 1)]


@pytest.mark.parametrize(
    "base",
    [
        "python",
        "python:3",
        "python:slim",
        "docker.io/library/python:3.13-alpine",
        "mcr.microsoft.com/devcontainers/python:1-3.11",
    ],
)
def test_python_bases(base):
    assert errors(f"FROM {base}\n") == [] or "3." not in base


def test_another_python_only_when_allowed():
    allowed = Machine(pythons={"3.9": "/a", "3.13": "/b"}, fallback=True)
    found = recipe("FROM python:3.12\n", allowed)
    assert not found.errors
    assert [each.code for each in found.diagnostics] == ["python-fallback"]
    assert found.stages[0].base.version == "3.13"


def test_environments_copied_between_stages_are_inherited():
    text = (
        "FROM python:3.11 AS b\nRUN python -m venv /opt/venv\nRUN pip install x\n"
        "FROM python:3.11\nCOPY --from=b /opt/venv /opt/venv\nCOPY --from=b /app /app\n"
        "COPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\n"
    )
    found = recipe(text)
    assert not found.errors
    kinds = [type(task.action) for step in found.stages[-1].steps for task in step.tasks]
    assert kinds[:2] == [Inherit, Copy]
    assert found.stages[-1].places == ("/opt/venv",)


def test_an_environment_inside_a_copied_folder_is_inherited_too():
    found = recipe(
        "FROM ghcr.io/astral-sh/uv:python3.11-bookworm AS b\nWORKDIR /app\nRUN uv sync --frozen\n"
        "FROM python:3.11-slim\nCOPY --from=b /app /app\nCMD /app/.venv/bin/python x\n"
    )
    assert not found.errors
    assert [type(task.action) for step in found.stages[-1].steps for task in step.tasks] == [Inherit, Copy]
    assert found.stages[-1].places == ("/app/.venv",)


def test_what_is_left_out_is_said():
    found = recipe("FROM python:3.11\nRUN apt-get update && apt-get install -y libvips curl\nRUN adduser x\n").diagnostics
    assert [(each.severity.value, each.position.line) for each in found] == [("info", 1), ("warning", 2)]
    assert "libvips" in found[1].message and "adduser" in found[0].message

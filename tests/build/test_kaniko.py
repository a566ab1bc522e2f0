"""Kaniko as values: its command line holds no secret, and its log is read as a build's."""

from __future__ import annotations

import json

import pytest

from defang_nb.build.dockerfile import parse
from defang_nb.build.kaniko import Job, Story, arguments
from defang_nb.model.image import ImageSource

SOURCE = ImageSource(reference="p/app:1", digest="", context_key="", services=("app",))
FILE = """\
FROM python:3.12 AS base
ARG WHO
RUN echo $WHO
COPY missing.txt /
FROM base
RUN exit 3
"""


def own(text: str, level: str = "info") -> str:
    return json.dumps({"level": level, "msg": text, "time": "2026-01-01T00:00:00Z"})


def heard(*lines: str) -> tuple[Story, list[tuple[str, dict[str, object]]]]:
    told: list[tuple[str, dict[str, object]]] = []

    def emit(line: str, *, step: int = 0, steps: int = 0, cached: bool = False, seconds: float = 0.0) -> None:
        told.append((line, {"step": step, "steps": steps, "cached": cached}))

    story = Story(parse(FILE), emit)
    for line in lines:
        story.hear(line)
    return story, told


def test_arguments_name_everything_and_hold_no_secret() -> None:
    job = Job(
        context="s3://bucket/contexts/x.tar.gz",
        destination="registry.example/p/app:1",
        cache_repo="registry.example/p/app/cache",
        dockerfile="docker/Dockerfile",
        target="base",
        platform="linux/arm64",
        args={"WHO": "ada"},
        secret_args=("TOKEN",),
        labels={"a": "b"},
        mirrors=("mirror.example",),
        insecure=("127.0.0.1:5000",),
    )
    given = arguments(job)
    for each in (
        "--context=s3://bucket/contexts/x.tar.gz", "--destination=registry.example/p/app:1", "--dockerfile=docker/Dockerfile",
        "--cache=true", "--cache-repo=registry.example/p/app/cache", "--target=base", "--custom-platform=linux/arm64",
        "--build-arg=WHO=ada", "--build-arg=TOKEN", "--label=a=b", "--registry-mirror=mirror.example",
        "--insecure-registry=127.0.0.1:5000",
    ):  # fmt: skip
        assert each in given
    assert not any(each.startswith("--cache") for each in arguments(Job(context="tar:///x", destination="r/a:1")))


def test_steps_and_what_is_cached() -> None:
    _, told = heard(
        own("Retrieving image manifest python:3.12"),
        own("Building stage 'python:3.12' [idx: '0', base-idx: '-1']"),
        own("Using caching version of cmd: RUN echo $WHO"),
        own("ARG WHO"),
        own("RUN echo $WHO"),
        "hello from the command",
        '{"level": "no message of the executor"}',
        own("something odd", "warning"),
        own("Taking snapshot of full filesystem..."),
    )
    steps = [(line, facts["step"], facts["cached"]) for line, facts in told if facts["step"]]
    assert steps == [
        ("[1/6] FROM python:3.12", 1, False),
        ("[2/6] ARG WHO", 2, False),
        ("[3/6] RUN echo $WHO (cached)", 3, True),
    ]
    assert [line for line, facts in told if not facts["step"]] == [
        "hello from the command",
        '{"level": "no message of the executor"}',
        "warning: something odd",
    ]


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        (
            (own("RUN exit 3"), "error building image: error building stage: failed to execute command: "
             "waiting for process to exit: exit status 3"),
            6, "RUN exit 3: exit code: 3",
        ),
        (
            (own("FROM python:3.12"), "error building image: error building stage: failed to get files used from context: "
             "lstat /kaniko/buildcontext/missing.txt: no such file or directory"),
            4, "missing.txt",
        ),
        (
            (own("Retrieving image manifest python:3.12"), "error building image: GET https://hub/v2/: no such host"),
            1, "the base image python:3.12 can't be had",
        ),
        (("error building image: parsing dockerfile: dockerfile parse error on line 2: unknown instruction: ARGH",), 2, "ARGH"),
    ],
)  # fmt: skip
def test_failures_have_their_line(lines: tuple[str, ...], line: int, said: str) -> None:
    story, _ = heard(*lines)
    error = story.failure(SOURCE, "registry.example")
    assert said in error.message
    assert error.diagnostics[0].position is not None and error.diagnostics[0].position.line == line


def test_a_registry_that_refuses_is_no_fault_of_the_dockerfile() -> None:
    story, _ = heard(
        "error checking push permissions -- make sure you entered the correct tag name: "
        'checking push permission for "registry.example/p/app:1": POST https://registry.example/v2/: UNAUTHORIZED'
    )
    error = story.failure(SOURCE, "registry.example")
    assert "registry.example refuses the credentials" in error.message and not error.diagnostics
    assert "docker login registry.example" in error.hint


def test_a_full_disk_has_its_hint() -> None:
    story, _ = heard(own("RUN exit 3"), "tar: write error: No space left on device", "error building image: exit status 1")
    assert "disk is full" in story.failure(SOURCE, "r").hint

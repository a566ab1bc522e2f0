"""Which line of a Dockerfile a builder's words mean, whatever variables were put in."""

from __future__ import annotations

import pytest

from defang_nb.build import where
from defang_nb.build.dockerfile import parse
from defang_nb.model.source import Diagnostic

FILE = parse(
    """\
ARG BASE=python:3.12
FROM ${BASE} AS build
ARG WHO
RUN echo first $WHO
RUN echo second $WHO
COPY --from=nginx:1 /etc/nginx /etc/nginx

FROM debian AS other
RUN echo first $WHO

FROM build
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/c make \\
    all
"""
)


def line(found: Diagnostic | None) -> int:
    return found.position.line if found and found.position else 0


@pytest.mark.parametrize(
    ("vertex", "expected"),
    [
        ("[build 2/4] RUN echo first ada", 4),
        ("[build 3/4] RUN echo second ada", 5),
        ("[linux/amd64 build 3/4] RUN echo second ada", 5),
        ("[other 2/2] RUN echo first ada", 9),
        ("[stage-2 3/3] RUN --mount=type=cache,target=/c make     all", 14),
        ("[stage-2 2/3] COPY . .", 13),
        ("[build 1/4] FROM docker.io/library/python:3.12@sha256:abc", 2),
        ("[other 1/2] FROM docker.io/library/debian:latest", 8),
        ("[internal] load build definition", 0),
        ("[build 2/4] VOLUME /x", 0),
    ],
)
def test_vertices(vertex: str, expected: int) -> None:
    assert line(where.of_vertex(FILE, vertex, "code", "message")) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [("docker.io/library/nginx:1", 6), ("docker.io/library/python:3.12", 2), ("debian", 8), ("elsewhere.example/x", 2)],
)
def test_base_images(image: str, expected: int) -> None:
    file = FILE if expected != 2 or "python" in image else parse("ARG B\nFROM $B\n")
    assert line(where.of_base(file, image, "code", "message")) == expected


def test_the_classic_builders_numbers() -> None:
    assert [line(where.of_number(FILE, number, "code", "message")) for number in (1, 2, 4, 8, 99)] == [0, 2, 4, 9, 0]


def test_complaints_that_a_dockerfile_does_not_parse() -> None:
    assert where.parse_error("failed: dockerfile parse error on line 3: unknown instruction: X") == (
        3,
        "unknown instruction: X",
    )
    assert where.parse_error("Dockerfile parse error line 12: no arguments") == (12, "no arguments")
    assert where.parse_error("exit code: 1") is None


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("python", ("python", "latest")),
        ("python:3.12", ("python", "3.12")),
        ("127.0.0.1:5000/team/app", ("127.0.0.1:5000/team/app", "latest")),
        ("127.0.0.1:5000/app:1", ("127.0.0.1:5000/app", "1")),
        ("r.example/app:1@sha256:abc", ("r.example/app:1", "sha256:abc")),
    ],
)
def test_names_of_images_are_split(image: str, parts: tuple[str, str]) -> None:
    assert where.split(image) == parts

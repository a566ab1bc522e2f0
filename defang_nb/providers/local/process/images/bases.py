"""Base images that this engine knows how to stand in for: python and node, by name and tag."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec


class BaseKind(StrEnum):
    PYTHON = "python"
    NODE = "node"
    EMPTY = "empty"
    UNKNOWN = "unknown"


class Base(msgspec.Struct, frozen=True):
    """`version` is what the tag asks for: "3.11" for python, "20" for node, "" when any will do."""

    kind: BaseKind
    version: str = ""


_NODE_NAMES = frozenset(("node", "javascript-node", "typescript-node"))
# Command line tools in images of their own that people copy into theirs, and that are here anyway.
_UV_NAMES = frozenset(("ghcr.io/astral-sh/uv", "docker.io/astral/uv", "astral/uv"))


def base_of(image: str) -> Base:
    """What an image reference (`python:3.11-slim`, `mcr.microsoft.com/devcontainers/python:3.12`) stands for."""
    name, tag = split_reference(image)
    last = name.rpartition("/")[2]
    if name == "scratch":
        return Base(BaseKind.EMPTY)
    if last == "python" or (name in _UV_NAMES and tag.startswith("python")):
        return _python(tag.removeprefix("python"))
    if last in _NODE_NAMES:
        version = re.match(r"(?:\d-)?(\d+)", tag)
        return Base(BaseKind.NODE, version[1] if version else "")
    return Base(BaseKind.UNKNOWN)


def is_uv(image: str) -> bool:
    """Whether `image` is there only to copy the uv program from."""
    return split_reference(image)[0] in _UV_NAMES


def split_reference(image: str) -> tuple[str, str]:
    """Name and tag; a digest is dropped, and a missing tag is "latest"."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, "latest"
    return head, tag


def _python(tag: str) -> Base:
    if match := re.match(r"(?:\d-)?(\d+)\.(\d+)", tag):
        return Base(BaseKind.PYTHON, f"{match[1]}.{match[2]}")
    # `2`, `2-slim`: no Python 3 will do.
    return Base(BaseKind.PYTHON, "2" if re.match(r"2(?:-|$)", tag) else "")

"""A recipe: what a Dockerfile (or what was detected without one) comes to on this machine, as typed steps.

Paths in steps are container paths. Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from defang_nb.model.project import Healthcheck
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.providers.local.process.images.bases import Base
from defang_nb.providers.local.process.images.image import ImageKind

CONTEXT = -1
"""As a Copy's `stage`: the build context."""


class Copy(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """COPY and ADD: `sources` (with wildcards) of the context or an earlier stage into `destination`."""

    sources: tuple[str, ...]
    destination: str
    stage: int = CONTEXT
    mode: int | None = None


class Write(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A file with that content (COPY with a heredoc)."""

    path: str
    content: str


class Packages(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An installation into the virtual environment; `words` are the arguments, in uv's words for pip."""

    tool: Literal["pip", "uv", "poetry", "pipenv"]
    words: tuple[str, ...]


class Inherit(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The packages of another stage: its environment was copied from there."""

    stage: int


class Execute(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A program run in the image's environment; with `tolerate`, its failure is none (`… || true`)."""

    words: tuple[str, ...]
    tolerate: bool = False


class Files(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A file command done here, inside the image's root only; `words` are its operands, `option` a mode for chmod."""

    verb: Literal["mkdir", "rm", "touch", "chmod", "cp", "mv", "ln"]
    words: tuple[str, ...]
    option: str = ""


class Skip(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that is left out, and why."""

    what: str
    reason: str
    severity: Severity = Severity.INFO


Action = Copy | Write | Packages | Inherit | Execute | Files | Skip


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One action, with the working directory and the variables that hold for it."""

    action: Action
    cwd: str = "/"
    env: Mapping[str, str] = {}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction of the Dockerfile (line 0: there is none) and what is done for it."""

    line: int
    title: str
    tasks: tuple[Task, ...] = ()


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage says about how its image is run."""

    workdir: str = "/"
    env: Mapping[str, str] = {}
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    exposed: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    user: str = ""
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None


class StagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One stage that is needed. `parent` is the stage that it begins from, None for a base image.

    `places` are container folders that hold the virtual environment here (`/opt/venv`); `file`: the Dockerfile.
    """

    index: int
    base: Base
    steps: tuple[Step, ...]
    config: ImageConfig
    parent: int | None = None
    places: tuple[str, ...] = ()
    file: str = ""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """`stages` in order, the last is the image. With an error among `diagnostics` it must not be carried out."""

    kind: ImageKind
    stages: tuple[StagePlan, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    detected: str = ""

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(each for each in self.diagnostics if each.severity is Severity.ERROR)

"""Builds an image: unpack the context, carry out the recipe's steps in a temporary folder, rename it into place."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from defang_nb.build.archive import unpack
from defang_nb.errors import BuildError
from defang_nb.model.excerpt import excerpt
from defang_nb.model.image import ImageSource
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.model.value import ConfigRef, Text
from defang_nb.providers.local.process.images.compile import compile_context, symbolic
from defang_nb.providers.local.process.images.image import IMAGE_FILE, BuiltImage, load
from defang_nb.providers.local.process.images.leftovers import sweep, work_folder
from defang_nb.providers.local.process.images.machine import Machine, look
from defang_nb.providers.local.process.images.process import in_thread
from defang_nb.providers.local.process.images.stage import StageBuild
from defang_nb.providers.local.process.images.steps import Recipe, Step
from defang_nb.providers.local.process.images.venvs import Venvs

LOG_TAIL = 15
"""Lines of the log that an error quotes."""

# How npm, node, uv and Python say that a name was not resolved or nobody answered.
_UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|dns error|name resolution|Name or service not known")


class EmitLine(Protocol):
    """A line of the build's log; `step` of `steps` when it begins one (else 0), `cached` when nothing had to be done."""

    def __call__(self, line: str, step: int = 0, steps: int = 0, cached: bool = False) -> None: ...


class ImageBuilder:
    """Makes images below `images` (a stack's folder for them); environments are kept in `venvs` beside it and used again."""

    def __init__(self, images: Path, machine: Machine | None = None) -> None:
        self.images = images
        self.machine = machine
        self.venvs = Venvs(images.parent / "venvs")

    def folder(self, reference: str) -> Path:
        """Where the image of that reference is, or will be: `image.load(folder)` gives it."""
        return self.images / re.sub(r"[^\w.\-]+", "_", reference)

    async def build(
        self,
        source: ImageSource,
        archive: Path,
        emit_line: EmitLine,
        *,
        args: Mapping[str, str],
        exclude_newer: str = "",
    ) -> BuiltImage:
        """Build `source` from its context `archive` into `folder(source.reference)`; what is there already is given at once.

        `args` are the build arguments with configuration values resolved. Which of them hold any is read from `source.args`:
        those values are masked in the log and stay symbolic in the image. `exclude_newer` is uv's cut-off date for packages.
        Raises `BuildError` with the Dockerfile's line and the last lines of the log. Cancelling ends the running child.
        """
        folder = self.folder(source.reference)
        if image := await in_thread(lambda: load(folder)):
            emit_line("built already", cached=True)
            return image
        log = _Log(emit_line, _secret_values(source.args, args))
        work = work_folder(self.images, folder.name)
        self.images.mkdir(parents=True, exist_ok=True, mode=0o700)
        await in_thread(lambda: sweep(self.images))
        try:
            await in_thread(lambda: unpack(archive, work / "context"))
            machine: Machine = self.machine if self.machine is not None else await asyncio.to_thread(look)
            recipe = await in_thread(lambda: compile_context(work / "context", source.dockerfile, source.target, args, machine))
            told = {**args, **symbolic(source.args)}
            meant = await in_thread(lambda: compile_context(work / "context", source.dockerfile, source.target, told, machine))
            _refuse_errors(recipe)
            final = await self._stages(recipe, work, machine, log, exclude_newer)
            env, secret_env = _told_apart(meant.stages[-1].config.env)
            image = final.image(folder / "root", recipe, env=env, secret_env=secret_env)
            await in_thread(lambda: _put_in_place(final.root, image, work / "image", folder))
            return load(folder) or image
        finally:
            await in_thread(lambda: shutil.rmtree(work, ignore_errors=True))

    async def _stages(self, recipe: Recipe, work: Path, machine: Machine, log: _Log, exclude_newer: str) -> StageBuild:
        """Carry out every stage, the last of which is the image."""
        if recipe.detected:
            log.line(recipe.detected)
        builds: dict[int, StageBuild] = {}
        total = sum(len(stage.steps) for stage in recipe.stages)
        number = 0
        for stage in recipe.stages:
            build = StageBuild(stage, work, machine, self.venvs, exclude_newer, builds)
            builds[stage.index] = build
            await build.begin()
            for step in stage.steps:
                number += 1
                await _carry_out(build, step, log, number, total)
        await builds[recipe.stages[-1].index].finish(log.line)
        return builds[recipe.stages[-1].index]


async def _carry_out(build: StageBuild, step: Step, log: _Log, number: int, total: int) -> None:
    """One step; what goes wrong in it is told with the instruction's line and the end of the log."""
    log.begin()
    cached = await build.is_cached(step)
    log.step(f"[{number}/{total}] {step.title}", number, total, cached)
    try:
        await build.carry_out(step, log.line)
    except BuildError as error:
        diagnostics = [] if not step.line else [_located(build, step, error.message)]
        tail = "\n".join(log.tail)
        network = "the build could not reach the network" if _UNREACHABLE.search(tail) else ""
        hint = "\n".join(each for each in (error.hint, network, f"the last lines of its log:\n{tail}" if tail else "") if each)
        raise BuildError(f"{step.title}: {error.message}", hint=hint, diagnostics=diagnostics) from error


def _located(build: StageBuild, step: Step, message: str) -> Diagnostic:
    position = Position(build.plan.file, step.line)
    text = excerpt(step.title, 1)
    return Diagnostic(severity=Severity.ERROR, code="build-failed", message=message, position=position, excerpt=text)


class _Log:
    """Hands lines on with secret values masked, and keeps the last ones of the current step."""

    def __init__(self, emit: EmitLine, hidden: list[str]) -> None:
        self.emit = emit
        self.hidden = hidden
        self.tail: deque[str] = deque(maxlen=LOG_TAIL)

    def begin(self) -> None:
        self.tail.clear()

    def step(self, line: str, number: int, total: int, cached: bool) -> None:
        self.emit(self._masked(line), number, total, cached)

    def line(self, line: str) -> None:
        shown = self._masked(line)
        self.tail.append(shown)
        self.emit(shown)

    def _masked(self, line: str) -> str:
        for value in self.hidden:
            line = line.replace(value, "***")
        return line


def _secret_values(source: Mapping[str, Text], args: Mapping[str, str]) -> list[str]:
    """The values of the build arguments that hold configuration, the longest first."""
    held = [args[key] for key, text in source.items() if key in args and any(isinstance(part, ConfigRef) for part in text)]
    return sorted((value for value in held if value), key=len, reverse=True)


def _told_apart(env: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Text]]:
    """ENV without configuration values, and those of its entries that hold some, still symbolic."""
    plain: dict[str, str] = {}
    held: dict[str, Text] = {}
    for key, value in env.items():
        parts = re.split("\x00(\\w+)\x00", value)
        if len(parts) == 1:
            plain[key] = value
        else:
            held[key] = tuple(ConfigRef(part) if index % 2 else part for index, part in enumerate(parts) if part)
    return plain, held


def _refuse_errors(recipe: Recipe) -> None:
    if errors := recipe.errors:
        raise BuildError(errors[0].message, hint=errors[0].hint, diagnostics=errors)


def _put_in_place(root: Path, image: BuiltImage, staging: Path, folder: Path) -> None:
    """Move the finished root and its description to where they stay, in one rename."""
    staging.mkdir(mode=0o700)
    root.rename(staging / "root")
    described = staging / IMAGE_FILE
    described.touch(mode=0o600)
    described.write_bytes(msgspec.json.format(msgspec.json.encode(image)))
    try:
        staging.rename(folder)
    except OSError:
        if load(folder):
            return  # the same image was built by somebody else meanwhile
        shutil.rmtree(folder)
        staging.rename(folder)

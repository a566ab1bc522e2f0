"""The engines of the local provider: what one has to answer, and which one serves a stack.

A container engine is used when one answers, else plain processes; `DEFANG_ENGINE` (`--engine`) decides otherwise. What a stack
was last deployed with it stays with, so that an engine that is started or stopped in between moves nothing by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from defang_nb.errors import UsageError
from defang_nb.model.execution import Execution
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic
from defang_nb.model.status import LogQuery, LogRecord, ServiceStatus, Usage
from defang_nb.providers.base import Session
from defang_nb.providers.local.docker.find import Found, environment, find
from defang_nb.providers.local.paths import StackPaths
from defang_nb.provision.ports import ResourceType

ENGINE_SETTING = "DEFANG_ENGINE"
DOCKER, PROCESS = "docker", "process"
ENGINES = (DOCKER, PROCESS)


class LocalEngine(Protocol):
    """What runs services on this machine. The methods are those of `Provider`."""

    def check(self, project: Project) -> Sequence[Diagnostic]: ...

    def resource_types(self) -> Sequence[ResourceType]: ...

    def compile(self, project: Project, images: Sequence[ImageSource], digests: Mapping[str, str]) -> Sequence[Resource]: ...

    def preflight(
        self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]
    ) -> list[Diagnostic]: ...

    async def cleanup(self, project: str) -> None: ...

    def in_use(self) -> bool:
        """Whether anything of this stack is deployed with it."""
        ...

    async def status(self, project: str) -> Sequence[ServiceStatus]: ...

    def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]: ...

    async def execute(self, project: str, execution: Execution) -> Session: ...

    async def restart(self, project: str, services: Sequence[str]) -> None: ...

    def usage(self, project: str, services: Sequence[str]) -> AsyncIterator[Sequence[Usage]]: ...


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine, and why; `found` is what was looked for on the way, None when nothing had to be."""

    name: str
    why: str
    found: Found | None = None


def choose(settings: Mapping[str, str], paths: StackPaths) -> Choice:
    """Raises `UsageError` for an engine that does not exist. Whether one that was asked for answers, its use will tell."""
    wanted = settings.get(ENGINE_SETTING, "")
    if wanted:
        if wanted not in ENGINES:
            raise UsageError(f"there is no engine {wanted!r}", hint=f"engines: {', '.join(ENGINES)}")
        return Choice(name=wanted, why="asked for")
    if (last := _remembered(paths)) in ENGINES:
        return Choice(name=last, why="this stack was deployed with it")
    found = find(environment(settings))
    if found.engine is not None:
        return Choice(name=DOCKER, why=f"{found.engine.called} answers", found=found)
    return Choice(name=PROCESS, why=f"no container engine answers: {found.why_not}", found=found)


def remember(paths: StackPaths, name: str) -> None:
    """This stack has something deployed with that engine; "" when it has nothing deployed any more."""
    file = paths.root / "engine"
    if not name:
        file.unlink(missing_ok=True)
    elif _remembered(paths) != name:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(name)


def _remembered(paths: StackPaths) -> str:
    try:
        return (paths.root / "engine").read_text().strip()
    except OSError:
        return ""

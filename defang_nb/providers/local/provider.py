"""The local provider: a project on this machine, in containers where an engine answers, else as plain processes.

What only cd needs, or a command that asks how things are, is loaded there: a client's `up` shall begin at once.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property

from defang_nb.errors import UsageError
from defang_nb.model.execution import Execution
from defang_nb.model.image import ImageSource
from defang_nb.model.pace import Usual
from defang_nb.model.project import Project
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic
from defang_nb.model.stack import Stack
from defang_nb.model.status import LogKind, LogQuery, LogRecord, ServiceStatus, Usage
from defang_nb.providers.base import CdAddress, Say, Session
from defang_nb.providers.local.config import FileConfigStore
from defang_nb.providers.local.engines import DOCKER, PROCESS, Choice, LocalEngine, choose, remember
from defang_nb.providers.local.paths import StackPaths, private
from defang_nb.providers.local.process import check as checks
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.ports import ObjectStore, ResourceType

_SETTINGS = "DEFANG_"


class LocalProvider:
    """A `Provider`. Settings are the stack's, and of the environment what begins with `DEFANG_`; the stack's win."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._settings = {key: value for key, value in os.environ.items() if key.startswith(_SETTINGS)} | dict(stack.settings)
        self._paths = StackPaths.of(stack.name)
        self._config = FileConfigStore(self._paths.config)
        self._store = FileStore(self._paths.store)

    @property
    def stack(self) -> Stack:
        return self._stack

    @property
    def config(self) -> FileConfigStore:
        return self._config

    @property
    def usual(self) -> Mapping[str, Usual]:
        return {}  # nothing here takes long but builds, and those take what their Dockerfile says

    def check(self, project: Project) -> Sequence[Diagnostic]:
        return self._backend.check(project)

    async def prepare(self, say: Say) -> None:
        """This machine is what it is."""

    async def store(self) -> ObjectStore:
        self._paths.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        private(self._paths.root)
        return self._store

    async def find_cd(self) -> CdAddress | None:
        from defang_nb.providers.local.launcher import Launcher

        return await Launcher(self._stack, self._paths).find()

    async def launch_cd(self) -> CdAddress:
        from defang_nb.providers.local.launcher import Launcher

        return await Launcher(self._stack, self._paths).launch()

    async def stop_cd(self) -> None:
        from defang_nb.providers.local.launcher import Launcher

        await Launcher(self._stack, self._paths).stop()

    @cached_property
    def choice(self) -> Choice:
        """Which engine serves this stack, and why. Raises `UsageError` for one that does not exist."""
        return choose(self._settings, self._paths)

    @cached_property
    def _backends(self) -> Mapping[str, LocalEngine]:
        from defang_nb.providers.local.docker.backend import DockerBackend
        from defang_nb.providers.local.process.backend import ProcessBackend

        return {
            DOCKER: DockerBackend(self._paths, self._stack.name, self._settings, self._store),
            PROCESS: ProcessBackend(self._paths, self._settings, self._store),
        }

    @property
    def _backend(self) -> LocalEngine:
        return self._backends[self.choice.name]

    def resource_types(self) -> Mapping[str, ResourceType]:
        """Those of every engine: what was deployed with another one is taken down when the engine changes."""
        return {each.name: each for backend in self._backends.values() for each in backend.resource_types()}

    def compile(self, project: Project, images: Sequence[ImageSource], config_digests: Mapping[str, str]) -> Sequence[Resource]:
        return self._backend.compile(project, images, config_digests)

    async def preflight(
        self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]
    ) -> Sequence[Diagnostic]:
        """Published ports that somebody else holds, and the disk's space."""
        found = self._backend.preflight(project, desired, recorded)
        full = checks.disk_space(self._paths.root) if desired else None
        return [*found, full] if full else found

    async def cleanup(self, project: str) -> None:
        for backend in self._backends.values():
            await backend.cleanup(project)
        used = [name for name, backend in self._backends.items() if backend.in_use()]
        remember(self._paths, self.choice.name if self.choice.name in used else "".join(used[:1]))

    async def status(self, project: str) -> Sequence[ServiceStatus]:
        return await self._backend.status(project)

    def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
        if LogKind.RUN not in query.kinds:
            raise UsageError(
                "builds and cd keep no log of their own on this machine",
                hint="`attach` shows a deployment with its builds, and `deployments` lists those that there are",
            )
        return self._backend.logs(project, query)

    async def execute(self, project: str, execution: Execution) -> Session:
        return await self._backend.execute(project, execution)

    async def restart(self, project: str, services: Sequence[str]) -> None:
        await self._backend.restart(project, services)

    def usage(self, project: str, services: Sequence[str]) -> AsyncIterator[Sequence[Usage]]:
        return self._backend.usage(project, services)

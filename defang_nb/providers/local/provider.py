"""The local provider: a project on this machine, with nothing installed but Python (its `process` engine).

What only cd needs, or a command that asks how things are, is loaded there: a client's `up` shall begin at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic
from defang_nb.model.stack import Stack
from defang_nb.model.status import LogQuery, LogRecord, ServiceStatus
from defang_nb.providers.base import CdAddress
from defang_nb.providers.local.config import FileConfigStore
from defang_nb.providers.local.paths import StackPaths, private
from defang_nb.providers.local.process import check as checks
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.ports import ObjectStore, ResourceType

if TYPE_CHECKING:
    from defang_nb.providers.local.process.engine import Engine

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

    def check(self, project: Project) -> Sequence[Diagnostic]:
        return checks.check(project)

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
    def _engine(self) -> Engine:
        from defang_nb.providers.local.process.engine import Engine

        return Engine(self._paths, self._settings)

    def resource_types(self) -> Mapping[str, ResourceType]:
        from defang_nb.providers.local.process.types.address import AddressType
        from defang_nb.providers.local.process.types.data import DataType
        from defang_nb.providers.local.process.types.image import ImageType
        from defang_nb.providers.local.process.types.postgres import PostgresType
        from defang_nb.providers.local.process.types.redis import RedisType
        from defang_nb.providers.local.process.types.service import JobType, ServiceType, SiteType

        engine = self._engine
        types: list[ResourceType] = [
            AddressType(engine), ImageType(engine, self._store), PostgresType(engine), RedisType(engine),
            ServiceType(engine), JobType(engine), SiteType(engine), DataType(engine),
        ]  # fmt: skip
        return {each.name: each for each in types}

    def compile(self, project: Project, images: Sequence[ImageSource], config_digests: Mapping[str, str]) -> Sequence[Resource]:
        from defang_nb.providers.local.process.compile import compile_project
        from defang_nb.providers.local.process.engine import EXCLUDE_NEWER_SETTING

        exclude_newer = self._settings.get(EXCLUDE_NEWER_SETTING, "")
        return compile_project(project, images, config_digests, exclude_newer=exclude_newer)

    async def preflight(
        self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]
    ) -> Sequence[Diagnostic]:
        """Published ports that somebody else holds, and the disk's space."""
        from defang_nb.providers.local.process.preflight import taken_ports

        found = taken_ports(self._engine, project, desired)
        full = checks.disk_space(self._paths.root) if desired else None
        return [*found, full] if full else found

    async def cleanup(self, project: str) -> None:
        from defang_nb.providers.local.process.images.venvs import prune

        await self._engine.supervisor.end_if_idle()
        await asyncio.to_thread(prune, self._paths.root / "venvs", self._paths.images)
        for folder in (self._paths.services / project, self._paths.logs / project):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    async def status(self, project: str) -> Sequence[ServiceStatus]:
        from defang_nb.providers.local.process.status import status

        return await status(self._engine, project)

    def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
        from defang_nb.providers.local.process.logs import read

        return read(self._paths.logs / project, query)

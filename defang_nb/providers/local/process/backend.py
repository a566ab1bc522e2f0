"""The engine without containers, as the local provider asks for it (`engines.LocalEngine`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from defang_nb.model.execution import Execution
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic
from defang_nb.model.status import LogQuery, LogRecord, ServiceStatus, Usage
from defang_nb.providers.base import Session
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.process import check as checks
from defang_nb.provision.ports import ObjectStore, ResourceType

if TYPE_CHECKING:
    from defang_nb.providers.local.process.engine import Engine


class ProcessBackend:
    """Cheap to make. What only cd needs, or a command that asks how things are, is loaded there."""

    def __init__(self, paths: StackPaths, settings: Mapping[str, str], store: ObjectStore) -> None:
        self._paths = paths
        self._settings = settings
        self._store = store

    @cached_property
    def _engine(self) -> Engine:
        from defang_nb.providers.local.process.engine import Engine

        return Engine(self._paths, self._settings)

    def check(self, project: Project) -> Sequence[Diagnostic]:
        return checks.check(project)

    def resource_types(self) -> Sequence[ResourceType]:
        from defang_nb.providers.local.process.types.address import AddressType
        from defang_nb.providers.local.process.types.data import DataType
        from defang_nb.providers.local.process.types.image import ImageType
        from defang_nb.providers.local.process.types.postgres import PostgresType
        from defang_nb.providers.local.process.types.redis import RedisType
        from defang_nb.providers.local.process.types.service import JobType, ServiceType, SiteType

        engine = self._engine
        return [
            AddressType(engine), ImageType(engine, self._store), PostgresType(engine), RedisType(engine),
            ServiceType(engine), JobType(engine), SiteType(engine), DataType(engine),
        ]  # fmt: skip

    def compile(self, project: Project, images: Sequence[ImageSource], digests: Mapping[str, str]) -> Sequence[Resource]:
        from defang_nb.providers.local.process.compile import compile_project
        from defang_nb.providers.local.process.engine import EXCLUDE_NEWER_SETTING

        return compile_project(project, images, digests, exclude_newer=self._settings.get(EXCLUDE_NEWER_SETTING, ""))

    def preflight(self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]) -> list[Diagnostic]:
        """Published ports that somebody else holds."""
        from defang_nb.providers.local.process.preflight import taken_ports

        return taken_ports(self._engine, project, desired)

    async def cleanup(self, project: str) -> None:
        from defang_nb.providers.local.process.images.venvs import prune

        await self._engine.supervisor.end_if_idle()
        await asyncio.to_thread(prune, self._paths.root / "venvs", self._paths.images)
        for folder in (self._paths.services / project, self._paths.logs / project):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def in_use(self) -> bool:
        return any(self._paths.services.glob("*/*/service.json"))

    async def status(self, project: str) -> Sequence[ServiceStatus]:
        from defang_nb.providers.local.process.status import status

        return await status(self._engine, project)

    def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
        from defang_nb.providers.local.process.logs import read

        return read(self._paths.logs / project, query)

    async def execute(self, project: str, execution: Execution) -> Session:
        from defang_nb.providers.local.process.sessions import execute

        return await execute(self._engine, project, execution)

    async def restart(self, project: str, services: Sequence[str]) -> None:
        from defang_nb.providers.local.process.restarting import restart

        await restart(self._engine, project, services)

    def usage(self, project: str, services: Sequence[str]) -> AsyncIterator[Sequence[Usage]]:
        from defang_nb.providers.local.process.usage import usage

        return usage(self._engine, project, services)

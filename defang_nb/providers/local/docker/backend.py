"""A container engine, as the local provider asks for it (`engines.LocalEngine`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from defang_nb.errors import ProviderError
from defang_nb.model.execution import Execution
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.status import LogQuery, LogRecord, ServiceStatus, Usage
from defang_nb.providers.base import Session
from defang_nb.providers.local.docker import check as checks
from defang_nb.providers.local.docker.find import environment, find, required
from defang_nb.providers.local.paths import StackPaths
from defang_nb.provision.ports import ObjectStore, ResourceType

if TYPE_CHECKING:
    from defang_nb.providers.local.docker.engine import DockerEngine


class DockerBackend:
    """Cheap to make. What only cd needs, or a command that asks how things are, is loaded there."""

    def __init__(self, paths: StackPaths, stack: str, settings: Mapping[str, str], store: ObjectStore) -> None:
        self._paths = paths
        self._stack = stack
        self._settings = settings
        self._store = store

    @cached_property
    def _engine(self) -> DockerEngine:
        from defang_nb.providers.local.docker.engine import DockerEngine

        return DockerEngine(self._paths, self._stack, self._settings)

    def check(self, project: Project) -> Sequence[Diagnostic]:
        """What the project asks for and can't have; above all, an engine that answers."""
        found = [*checks.builder(project, self._settings), *checks.check(project)]
        try:
            required(find(environment(self._settings)))
        except ProviderError as error:
            problem = Diagnostic(severity=Severity.ERROR, code="engine-missing", message=error.message, hint=error.hint)
            return [problem, *found]
        return found

    def resource_types(self) -> Sequence[ResourceType]:
        from defang_nb.providers.local.docker.builders.choose import builders
        from defang_nb.providers.local.docker.types.address import AddressType
        from defang_nb.providers.local.docker.types.image import ImageType
        from defang_nb.providers.local.docker.types.network import NetworkType
        from defang_nb.providers.local.docker.types.pulled import PulledImageType
        from defang_nb.providers.local.docker.types.service import JobType, ServiceType
        from defang_nb.providers.local.docker.types.volume import VolumeType

        engine = self._engine
        made = builders(engine.connect, self._settings, lambda: engine.call(lambda client: client.version()))
        return [
            NetworkType(engine), VolumeType(engine), AddressType(engine), PulledImageType(engine), ServiceType(engine),
            JobType(engine), ImageType(engine.connect, self._store, made, engine.secret_values, engine.marks),
        ]  # fmt: skip

    def compile(self, project: Project, images: Sequence[ImageSource], digests: Mapping[str, str]) -> Sequence[Resource]:
        from defang_nb.providers.local.docker.compile import compile_project

        script = str(Path(__file__).parent.parent / "process" / "shim" / "serve.py")
        return compile_project(project, images, digests, prefix=self._engine.prefix(project.name), site_script=script)

    def preflight(self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]) -> list[Diagnostic]:
        """An engine that does not answer, and published ports that somebody else holds."""
        from defang_nb.providers.local.docker.preflight import taken_ports

        if desired:
            self._engine.found()
        return taken_ports(self._engine, project, desired)

    async def cleanup(self, project: str) -> None:
        """Nothing is left of what was deleted."""

    def in_use(self) -> bool:
        from defang_nb.providers.local.docker.engine import services

        return any(services(self._paths).glob("*"))

    async def status(self, project: str) -> Sequence[ServiceStatus]:
        from defang_nb.providers.local.docker.status import status

        return await status(self._engine, project)

    def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
        from defang_nb.providers.local.docker.logs import read

        return read(self._engine, project, query)

    async def execute(self, project: str, execution: Execution) -> Session:
        from defang_nb.providers.local.docker.sessions import execute

        return await execute(self._engine, project, execution)

    async def restart(self, project: str, services: Sequence[str]) -> None:
        from defang_nb.providers.local.docker.restarting import restart

        await restart(self._engine, project, services)

    def usage(self, project: str, services: Sequence[str]) -> AsyncIterator[Sequence[Usage]]:
        from defang_nb.providers.local.docker.usage import usage

        return usage(self._engine, project, services)

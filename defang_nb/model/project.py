"""The typed, canonical project: what a Compose file means once everything in it is resolved.

Field names and meanings are those of the Compose specification (compose-spec, 2025); durations are seconds, sizes are bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import Any

import msgspec

from defang_nb.model.source import Position
from defang_nb.model.value import ConfigRef, Text


class PortMode(StrEnum):
    INGRESS = "ingress"
    HOST = "host"


_NOT_HTTP = frozenset({21, 22, 25, 53, 1883, 3306, 5432, 5672, 6379, 9092, 11211, 27017})


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is where the service listens; `published` is where the outside finds it (None: any)."""

    target: int
    published: int | None = None
    protocol: str = "tcp"
    app_protocol: str = ""
    mode: PortMode = PortMode.INGRESS
    host_ip: str = ""
    name: str = ""

    @property
    def http(self) -> bool:
        """Whether HTTP is spoken there: it is unless the file, or what the port is known for, says otherwise."""
        return self.app_protocol in ("", "http", "https", "http2", "grpc") and self.target not in _NOT_HTTP


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """`context` is an absolute folder (or a remote address); an empty `dockerfile` means: look at what is there."""

    context: str
    dockerfile: str = ""
    dockerfile_inline: str = ""
    target: str = ""
    args: Mapping[str, Text] = {}
    platforms: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}


class Condition(StrEnum):
    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    condition: Condition = Condition.STARTED
    required: bool = True
    restart: bool = False


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True):
    """`test` keeps its leading CMD or CMD-SHELL; `disable` is `NONE` or `disable: true`. Durations in seconds."""

    test: tuple[str, ...] = ()
    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0
    start_interval: float = 5.0
    disable: bool = False


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Reservations and limits of one replica: CPUs as cores, memory in bytes, GPUs by count. None: nothing was asked."""

    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    cpus_limit: float | None = None
    memory_limit: int | None = None


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is volume, bind, tmpfs …; `source` is the volume's key or an absolute path, empty for anonymous ones.

    `options` are the kind's own, in Compose's canonical form: `{"nocopy": True}` of a volume, `{"size": "1048576"}` of a tmpfs.
    """

    kind: str
    target: str
    source: str = ""
    read_only: bool = False
    options: Mapping[str, Any] = {}


class FileMount(msgspec.Struct, frozen=True, kw_only=True):
    """A config or secret of the project, given to the service as a file at `target`."""

    source: str
    target: str
    mode: int | None = None


class ManagedKind(StrEnum):
    POSTGRES = "postgres"
    REDIS = "redis"
    MONGODB = "mongodb"
    LLM = "llm"


class Managed(msgspec.Struct, frozen=True, kw_only=True):
    """`x-defang-postgres` and its like: the provider runs this service as a managed store."""

    kind: ManagedKind
    allow_downtime: bool = False
    from_snapshot: str = ""


class StaticFiles(msgspec.Struct, frozen=True, kw_only=True):
    """`x-defang-static-files`: `folder` is served as it is; `Project.site_folder` tells where it is.

    `redirects`: `/old=/new`, where nothing is at the first, and `/*=/index.html`, which is served in place of all that is not
    there. `digest` and `key` are what a workspace adds for a stack elsewhere: what is in it, and its archive in the store.
    """

    folder: str
    redirects: tuple[str, ...] = ()
    digest: str = ""
    key: str = ""

    @property
    def moved(self) -> dict[str, str]:
        """Path → where it leads."""
        pairs = (each.partition("=")[::2] for each in self.redirects if "=" in each)
        return {path: target for path, target in pairs if path != EVERYTHING}

    @property
    def fallback(self) -> str:
        """The path of what is served in place of all that is not there; "" for nothing."""
        return next((each.partition("=")[2] for each in reversed(self.redirects) if each.startswith(f"{EVERYTHING}=")), "")


EVERYTHING = "/*"
"""What stands for every path that is not there, in the redirects of static files."""


class ModelUse(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is told of a model: the variables of its address and of its name. Empty: `<NAME>_URL`, `<NAME>_MODEL`."""

    endpoint_var: str = ""
    model_var: str = ""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service. `command` and `entrypoint`: None is the image's own, an empty tuple clears it.

    `autoscaling`, `policies`, `aliases` and `dns_role` are Defang's extensions: whether its replicas follow the load, policies
    of the cloud that it has, names that its resources had formerly (kind → name), the role that may change its domain's zone.
    `rest` is everything that the other fields don't hold, in Compose's canonical form (`{"privileged": True, "deploy": …}`).
    """

    name: str
    image: str = ""
    build: Build | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, Text] = {}
    ports: tuple[Port, ...] = ()
    expose: tuple[int, ...] = ()
    depends_on: Mapping[str, Dependency] = {}
    healthcheck: Healthcheck | None = None
    restart: str = ""
    replicas: int = 1
    resources: Resources = Resources()
    volumes: tuple[Mount, ...] = ()
    configs: tuple[FileMount, ...] = ()
    secrets: tuple[FileMount, ...] = ()
    networks: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    platform: str = ""
    labels: Mapping[str, str] = {}
    stop_signal: str = ""
    stop_grace_period: float = 10.0
    domainname: str = ""
    managed: Managed | None = None
    static_files: StaticFiles | None = None
    autoscaling: bool = False
    policies: tuple[str, ...] = ()
    aliases: Mapping[str, str] = {}
    dns_role: str = ""
    models: Mapping[str, ModelUse] = {}
    rest: Mapping[str, Any] = {}

    @property
    def one_off(self) -> bool:
        """Runs once and ends: an explicit `restart: "no"` and nothing to listen on (as Defang reads it)."""
        return self.restart == "no" and not self.ports and self.managed is None


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    external: bool = False


class FileObject(msgspec.Struct, frozen=True, kw_only=True):
    """A top-level config or secret: a file on the workspace, inline content, or a deployment-time config value."""

    name: str
    file: str = ""
    content: Text = ()
    environment: str = ""
    external: bool = False

    @property
    def text(self) -> Text:
        """What is in it, unless it is a file. One that is `external` is the configuration value of its name."""
        if self.file:
            return ()
        return (ConfigRef(self.environment or self.name),) if self.environment or self.external else self.content


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When a job runs: a cron expression of five fields or `@daily` and its like. Empty `timezone`: the platform's."""

    cron: str
    timezone: str = ""
    concurrency: str = "forbid"
    missed_fires: str = "one"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A container that runs to its end when its schedule, or somebody, says so. `container` is what runs, as a service's is."""

    name: str
    container: Service
    schedule: tuple[Schedule, ...] = ()
    manual: bool = True


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a deployment needs to know. `positions` maps a place (`services.web.ports[0]`) to its source.

    `rest` is what the other fields don't hold of the top level, in Compose's canonical form: `{"networks": {"front": …}}`.
    """

    name: str
    services: Mapping[str, Service]
    volumes: Mapping[str, Volume] = {}
    configs: Mapping[str, FileObject] = {}
    secrets: Mapping[str, FileObject] = {}
    jobs: Mapping[str, Job] = {}
    working_dir: str = ""
    files: tuple[str, ...] = ()
    positions: Mapping[str, Position] = {}
    rest: Mapping[str, Mapping[str, Any]] = {}

    def position(self, path: str) -> Position | None:
        """Where `path` stands in the source: its own place, else that of the nearest enclosing path that has one."""
        while path:
            if path in self.positions:
                return self.positions[path]
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return None

    def site_folder(self, service: Service) -> str:
        """The folder of its static files: in its build's output, else on the workspace, relative to the project's folder."""
        folder = service.static_files.folder if service.static_files else ""
        return folder if service.build else os.path.normpath(PurePath(self.working_dir, folder))

    def config_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Each configuration value that is needed, with the services (in order) that need it."""
        needed: dict[str, list[str]] = {}
        for service in self.services.values():
            texts = [*service.environment.values(), *(service.build.args.values() if service.build else ())]
            texts += [self.configs[each.source].text for each in service.configs if each.source in self.configs]
            texts += [self.secrets[each.source].text for each in service.secrets if each.source in self.secrets]
            keys = {part.key for text in texts for part in text if isinstance(part, ConfigRef)}
            for key in sorted(keys):
                needed.setdefault(key, []).append(service.name)
        return {key: tuple(services) for key, services in sorted(needed.items())}

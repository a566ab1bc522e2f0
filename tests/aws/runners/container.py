"""Tasks that are run as containers of a real Docker engine: services' own images, and Kaniko's executor.

The containers of a task share one network, as on Fargate. There is one network for each VPC, where a task has the names that
Cloud Map knows it by. Images of the account's registry come from the real one behind it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount, Ulimit
from moto.servicediscovery.models import servicediscovery_backends

from tests.aws.authority import BUNDLE, Authority
from tests.aws.ecs.task import Container, Task
from tests.aws.registry import Registry
from tests.aws.runners import kaniko
from tests.aws.runners.base import Run, StartError, environment_of

LABEL = "aws-simulation"
LOOK = 0.2
SECOND = 1_000_000_000


@dataclass
class Engine:
    """A Docker engine at `host`; `mark` tells this simulation's containers and networks from others'."""

    host: str
    mark: str
    registry: Registry
    kaniko: str
    url: str
    making: threading.Lock = field(default_factory=threading.Lock)
    authority: Authority = field(default_factory=Authority)

    def client(self) -> Any:
        return docker.DockerClient(base_url=self.host, timeout=120)

    def network(self, client: Any, vpc: str) -> str:
        """The VPC's network, made at its first use."""
        name = f"{self.mark}-{vpc}"
        with self.making:
            if not client.networks.list(names=[name]):
                client.networks.create(name, labels={LABEL: self.mark})
        return name

    def image(self, client: Any, name: str) -> str:
        """Make sure of an image; the name that the engine knows it by. Raises `StartError`."""
        place = self.registry.local(name)
        try:
            client.images.get(place)
        except ImageNotFound:
            try:
                repository, separator, rest = place.rpartition("@" if "@" in place else ":")
                bare = not separator or "/" in rest
                client.images.pull(place if bare else repository, tag="latest" if bare else rest)
            except APIError as problem:
                raise StartError(
                    f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {name}: "
                    f"{problem.explanation}"
                ) from None
        return place

    def clear(self) -> None:
        """Remove all containers, networks and volumes of this simulation."""
        client = self.client()
        mine = {"label": f"{LABEL}={self.mark}"}
        try:
            for each in client.containers.list(all=True, filters=mine):
                _quietly(each.remove, force=True, v=True)
            for each in (*client.networks.list(filters=mine), *client.volumes.list(filters=mine)):
                _quietly(each.remove)
        finally:
            client.close()


@dataclass
class Docker(Run):
    engine: Engine | None = None
    containers: dict[str, Any] = field(default_factory=dict)
    ip: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        assert self.engine is not None
        client = self.engine.client()
        threading.Thread(target=self._run, args=(client,), daemon=True).start()

    def stop(self) -> None:
        self.stopping.set()

    def address(self, port: int) -> tuple[str, int] | None:
        return (self.ip, port) if self.ip else None

    def _run(self, client: Any) -> None:
        """All of the task's life, in a thread of its own."""
        try:
            self._begin(client)
            self.started = True
            self._watch(client)
        except StartError as problem:
            self.failure = str(problem)
        except (DockerException, OSError) as problem:
            self.failure = f"CannotStartContainerError: {problem}"
        finally:
            self._end()
            client.close()

    def _begin(self, client: Any) -> None:
        assert self.engine is not None
        for container in self.task.containers:
            with self.lock:
                why = kaniko.refused(container)
            if why:
                self.tell(container, why)
                self.exits[container.name] = 1
                return
            options = self._options(client, container)
            made = client.containers.create(**options)
            self.containers[container.name] = made
            made.start()
            threading.Thread(target=self._follow, args=(container, made), daemon=True).start()
            if not self.ip and options.get("network"):
                made.reload()
                self.ip = made.attrs["NetworkSettings"]["Networks"][options["network"]]["IPAddress"]

    def _options(self, client: Any, container: Container) -> dict[str, Any]:
        assert self.engine is not None
        engine, definition = self.engine, container.definition
        with self.lock:
            environment = environment_of(self.task, container)
            names = list(_names(self.task))
        base = {"labels": {LABEL: engine.mark}, "environment": environment, "detach": True}
        if "kaniko" in str(definition["image"]):
            return base | kaniko.options(engine, container, environment)
        first = next(iter(self.containers.values()), None)
        if first is not None:
            network = {"network_mode": f"container:{first.id}"}
        else:
            place = engine.network(client, self.task.interface.vpc_id if self.task.interface else "none")
            config = client.api.create_endpoint_config(aliases=names)
            network = {"network": place, "networking_config": {place: config}}
        linux = definition.get("linuxParameters") or {}
        options = {
            "image": engine.image(client, str(definition["image"])),
            "entrypoint": definition.get("entryPoint"),
            "command": definition.get("command"),
            "working_dir": definition.get("workingDirectory"),
            "user": definition.get("user"),
            "read_only": definition.get("readonlyRootFilesystem"),
            "healthcheck": _check(definition.get("healthCheck")),
            "init": linux.get("initProcessEnabled"),
            "tmpfs": {each["containerPath"]: f"size={each['size']}m" for each in linux.get("tmpfs") or ()},
            "ulimits": [
                Ulimit(name=u["name"], soft=u["softLimit"], hard=u["hardLimit"]) for u in definition.get("ulimits") or ()
            ],
            "mounts": list(self._mounts(container)),
        }
        return base | network | {key: value for key, value in options.items() if value not in (None, [], {})}

    def _mounts(self, container: Container) -> Iterator[Mount]:
        assert self.engine is not None
        yield Mount(BUNDLE, str(self.engine.authority.bundle), type="bind", read_only=True)
        volumes = {each["name"]: each for each in self.task.definition.volumes or ()}
        for each in container.definition.get("mountPoints") or ():
            efs = volumes.get(each["sourceVolume"], {}).get("efsVolumeConfiguration")
            place = (efs or {}).get("authorizationConfig", {}).get("accessPointId") or (efs or {}).get("fileSystemId")
            name = f"{self.engine.mark}-{place or self.task.id + each['sourceVolume']}"
            yield Mount(
                each["containerPath"],
                name,
                type="volume",
                read_only=each.get("readOnly", False),
                labels={LABEL: self.engine.mark},
            )

    def _follow(self, container: Container, made: Any) -> None:
        """Its output, line by line, into its log."""
        rest = b""
        try:
            for piece in made.logs(stream=True, follow=True):
                *lines, rest = (rest + piece).split(b"\n")
                self.tell(container, *(each.decode(errors="replace").rstrip("\r") for each in lines))
            if rest:
                self.tell(container, rest.decode(errors="replace"))
        except (DockerException, OSError):
            pass  # it was removed

    def _watch(self, client: Any) -> None:
        while not self.stopping.is_set():
            for container in self.task.containers:
                made = self.containers.get(container.name)
                if made is None:
                    continue
                made.reload()
                state = made.attrs["State"]
                if state["Status"] in ("exited", "dead"):
                    self.exits[container.name] = int(state["ExitCode"])
                health = (state.get("Health") or {}).get("Status", "")
                self.health[container.name] = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}.get(health, "UNKNOWN")
            if any(each.name in self.exits and each.definition.get("essential", True) for each in self.task.containers):
                return
            self.stopping.wait(LOOK)

    def _end(self) -> None:
        """Stop and remove what runs, as asked or since something essential ended."""
        for container in reversed(self.task.containers):
            made = self.containers.get(container.name)
            if made is None:
                continue
            patience = 0 if self.hasty else int(container.definition.get("stopTimeout") or 30)
            _quietly(made.stop, timeout=patience)
            _quietly(made.reload)
            self.exits.setdefault(container.name, int(made.attrs["State"]["ExitCode"]))
        time.sleep(LOOK)  # the last lines of their logs
        for made in reversed(self.containers.values()):
            _quietly(made.remove, force=True, v=True)
        self.ended = True


def _names(task: Task) -> Iterator[str]:
    """What Cloud Map, or Service Connect, calls the task's service."""
    backend = servicediscovery_backends[task.account][task.region]
    for each in task.given.get("serviceRegistries") or ():
        service = next((it for it in backend.services.values() if it.arn == each["registryArn"]), None)
        if service is not None:
            yield f"{service.name}.{backend.namespaces[service.namespace_id].name}"
    for each in (task.given.get("serviceConnectConfiguration") or {}).get("services") or ():
        yield from (alias["dnsName"] for alias in each.get("clientAliases") or () if "dnsName" in alias)


def _check(given: dict[str, Any] | None) -> dict[str, Any] | None:
    if not given:
        return None
    return {
        "test": given["command"],
        "interval": int(given.get("interval") or 30) * SECOND,
        "timeout": int(given.get("timeout") or 5) * SECOND,
        "retries": int(given.get("retries") or 3),
        "start_period": int(given.get("startPeriod") or 0) * SECOND,
    }


def _quietly(do: Any, **arguments: Any) -> None:
    """What is gone already is fine."""
    with suppress(NotFound, APIError):
        do(**arguments)

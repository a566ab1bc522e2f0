"""One container: made from a service's inputs, started, stopped, looked at. Blocking; to be called by `DockerEngine.ask`."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import re
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.model.value import Json
from defang_nb.providers.local.docker import hooks, labels, spec
from defang_nb.providers.local.docker.engine import DockerEngine, NotThereError, TakenError
from defang_nb.providers.local.process.engine import fill, parse_urn

LOOPBACK = "127.0.0.1"
RUNNING = ("running", "restarting")
_REMOVALS = 100
_LOOK = 0.05
_CODE = re.compile(r"(?:Exited|Restarting) \((-?\d+)\)")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a container is made for. `backends`: target port → port of the loopback on which the forwarder finds it."""

    urn: str
    replica: int
    name: str
    hash: str
    inputs: Mapping[str, Json]
    backends: Mapping[int, int]
    values: Mapping[str, str]
    bind: str
    inherited: Mapping[str, str] = {}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One of ours as a listing shows it. `health`: starting, healthy, unhealthy, or "" without a health check.

    `code` is that of its last end, of one that ended or is about to be started again.
    """

    id: str
    name: str
    urn: str
    replica: int
    hash: str
    state: str
    health: str
    code: int
    image: str
    created: int
    ports: tuple[tuple[int, str, int], ...]
    anonymous: bool

    @property
    def running(self) -> bool:
        return self.state in RUNNING


def seen(found: Mapping[str, Any]) -> Seen:
    marks, status = found.get("Labels") or {}, str(found.get("Status") or "")
    health = "starting" if "health: starting" in status else status.rpartition("(")[2].rstrip(")")
    published = [each for each in found.get("Ports") or () if each.get("PublicPort")]
    return Seen(
        id=found["Id"],
        name=(found.get("Names") or ["/?"])[0].lstrip("/"),
        urn=marks.get(labels.URN, ""),
        replica=int(marks.get(labels.REPLICA) or 1),
        hash=marks.get(labels.INPUTS, ""),
        state=found.get("State") or "",
        health=health if health in ("starting", "healthy", "unhealthy") else "",
        code=int(ended[1]) if (ended := _CODE.search(status)) else 0,
        image=found.get("ImageID") or "",
        created=int(found.get("Created") or 0),
        ports=tuple(sorted({(each["PrivatePort"], each["Type"], each["PublicPort"]) for each in published})),
        anonymous=any(each.get("Type") == "volume" and len(each.get("Name") or "") == 64 for each in found.get("Mounts") or ()),
    )


async def of_urn(engine: DockerEngine, urn: str, *, alone: bool = False) -> list[Seen]:
    """All containers of one resource, the youngest last.

    The engine is asked once for all who ask at a time; `alone`: for this one, which costs less when others ask at other times.
    """
    there = await (engine.containers_of(urn) if alone else engine.containers())
    found = [seen(each) for each in there if each["Labels"].get(labels.URN) == urn]
    return sorted(found, key=lambda each: each.created)


def make(client: Any, engine: DockerEngine, wish: Wish) -> tuple[str, Sequence[str]]:
    """Create it; its id, and what the engine warns of. Raises `TakenError` where the name is somebody's."""
    body = _body(engine, wish, client)
    made = client.create_container_from_config(body, wish.name, wish.inputs["platform"] or None)
    container = str(made["Id"])
    try:
        for network in wish.inputs["networks"][1:]:
            data = {"Container": container, "EndpointConfig": network["endpoint"]}
            client._raise_for_status(client._post_json(client._url("/networks/{0}/connect", network["id"]), data=data))
        written = [each for each in wish.inputs["files"] if "content" in each]
        if written and not body["HostConfig"].get("ReadonlyRootfs"):
            client.put_archive(container, "/", _archive(written, wish.values))
    except Exception:
        client.remove_container(container, force=True, v=True)
        raise
    return container, made.get("Warnings") or ()


def remove(client: Any, container: Seen, *, grace: float = 10.0, volumes: bool = True) -> None:
    """Stop it in good order, and remove it with the volumes that nobody named. One that is gone is fine.

    The engine refuses some calls about a container that is just being started again, or removed; they are tried again.
    """
    from docker.errors import APIError, NotFound

    def leave_ended() -> None:
        """What is started again and again evades whoever wants to remove it."""
        with contextlib.suppress(APIError):
            client.update_container(container.id, restart_policy={"Name": "no"})

    stopped = not (container.running or container.state == "paused")
    if container.state == "restarting":
        leave_ended()
    for left in reversed(range(_REMOVALS)):
        try:
            if not stopped:
                stop(client, container.id, grace)
                stopped = True
            client.remove_container(container.id, force=True, v=volumes)
        except APIError:
            if not left:
                raise
            leave_ended()
            stopped = left < _REMOVALS - 2  # it does not let itself be stopped: `force` ends it
        else:
            return
        try:
            client.inspect_container(container.id)
        except NotFound:
            return
        time.sleep(_LOOK)


def stop(client: Any, container: str, grace: float) -> None:
    """The engine waits for the grace period, so the client has to be more patient than that."""
    url = client._url("/containers/{0}/stop", container)
    response = client._post(url, params={"t": math.ceil(grace)}, timeout=grace + client.timeout)
    client._raise_for_status(response)


def _body(engine: DockerEngine, wish: Wish, client: Any) -> dict[str, Json]:
    inputs = wish.inputs
    project, service = parse_urn(wish.urn)
    body: dict[str, Json] = spec.container(inputs)
    host = body["HostConfig"]
    if "Healthcheck" in body and engine.found().name == "Podman":
        body["Healthcheck"] = spec.split_by_podman(body["Healthcheck"])
    body["Image"] = inputs["image"]
    body["Env"] = [f"{key}={fill(value, wish.values)}" for key, value in inputs["environment"].items()]
    marks = engine.marks(project, wish.urn, service) | {labels.INPUTS: wish.hash, labels.REPLICA: str(wish.replica)}
    marks |= hooks.marks(inputs)
    body["Labels"] = {**body.get("Labels", {}), **marks}
    bindings: dict[str, list[Json]] = {}
    for target, port in wish.backends.items():
        bindings[f"{target}/tcp"] = [{"HostIp": LOOPBACK, "HostPort": str(port)}]
    for each in inputs["direct"]:
        place = {"HostIp": each["host"] or wish.bind, "HostPort": str(each["published"] or "")}
        bindings.setdefault(f"{each['target']}/{each['protocol']}", []).append(place)
    host["PortBindings"] = bindings
    body.setdefault("ExposedPorts", {}).update({key: {} for key in bindings})
    mounts = host.setdefault("Mounts", [])
    _make_folders(mounts)
    mounts += [
        {"Type": "bind", "Source": each["source"], "Target": each["target"], "ReadOnly": True}
        for each in inputs["files"]
        if "source" in each
    ]
    if host.get("ReadonlyRootfs"):
        mounts += [_beside(engine, wish, each) for each in inputs["files"] if "content" in each]
    mounts += [
        {"Type": "volume", "Source": name, "Target": target, "ReadOnly": False}
        for target, name in wish.inherited.items()
        if target not in [each["Target"] for each in mounts]
    ]
    networks = inputs["networks"]
    if networks:
        host["NetworkMode"] = networks[0]["id"]
        body["NetworkingConfig"] = {"EndpointsConfig": {networks[0]["id"]: networks[0]["endpoint"]}}
    elif mode := inputs.get("network_mode"):
        host["NetworkMode"] = _of_service(client, engine, project, mode)
    for key in ("PidMode", "IpcMode"):
        if str(host.get(key, "")).startswith("service:"):
            host[key] = _of_service(client, engine, project, host[key])
    return body


def _beside(engine: DockerEngine, wish: Wish, each: Mapping[str, Json]) -> dict[str, Json]:
    """A file that can't be written into a container that is read only: kept on this machine, and mounted."""
    folder = engine.files(wish.urn)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = fill(each["content"], wish.values).encode()
    path = folder / hashlib.sha256(each["target"].encode() + b"\0" + wish.hash.encode()).hexdigest()[:24]
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    path.chmod(each["mode"])
    return {"Type": "bind", "Source": str(path), "Target": each["target"], "ReadOnly": True}


def _make_folders(mounts: Sequence[dict[str, Json]]) -> None:
    """A folder of the user's that is mounted and not there is made, as Compose does; not by the engine, whose user is root."""
    for each in mounts:
        if each.pop("make", False) and not (place := Path(each["Source"])).exists():
            try:
                place.mkdir(parents=True)
            except OSError as error:
                raise ProviderError(f"there is no {place} to mount, and it can't be made: {error.strerror}") from error


def _of_service(client: Any, engine: DockerEngine, project: str, mode: str) -> str:
    """`service:db` as the engine says it: the container of that service."""
    kind, _, name = mode.partition(":")
    if kind != "service":
        return mode
    filters = {"label": [f"{labels.SERVICE}={name}", f"{labels.PROJECT}={project}", f"{labels.STACK}={engine.stack}"]}
    found = client.containers(filters=filters)
    if not found:
        raise NotThereError(f"service {name} has no running container to share with")
    return f"container:{found[0]['Id']}"


def _archive(files: Sequence[Mapping[str, Json]], values: Mapping[str, str]) -> bytes:
    """Configs and secrets whose text is known only now, as the engine takes files: a tar."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for each in files:
            data = fill(each["content"], values).encode()
            info = tarfile.TarInfo(each["target"].lstrip("/"))
            info.size, info.mode, info.mtime = len(data), each["mode"], 0
            tar.addfile(info, io.BytesIO(data))
    return held.getvalue()


def rename(client: Any, container: Seen, name: str) -> bool:
    """Whether it has the name now. Names are for people only: when the engine refuses, nothing is lost."""
    from docker.errors import APIError

    if container.name != name:
        try:
            client.rename(container.id, name)
        except APIError:
            return False
    return True


def name_taken(name: str, error: TakenError) -> ProviderError:
    """A container that is not ours has the name."""
    if "is already in use" not in error.message:
        return error
    hint = f"remove it (docker rm {name}), or rename the project"
    return ProviderError(f"there is a container {name} already, which is not of this stack", hint=hint)

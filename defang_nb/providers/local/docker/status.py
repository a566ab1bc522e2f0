"""What runs now, as the engine sees it."""

from __future__ import annotations

import asyncio
import calendar
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

from defang_nb.model.project import Port
from defang_nb.model.status import ServiceStatus
from defang_nb.model.view import Endpoint
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.container import LOOPBACK, Seen, seen
from defang_nb.providers.local.docker.engine import DockerEngine, NotThereError
from defang_nb.providers.local.docker.fronts import REPLICA, Fronts

ANYWHERE = "0.0.0.0"  # noqa: S104 - what is told as the loopback's
_WORDS = {"created": "starting", "restarting": "crashed", "removing": "stopped", "paused": "stopped", "dead": "crashed"}


async def status(engine: DockerEngine, project: str) -> list[ServiceStatus]:
    """Every service of the project that has a container, by name."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in await engine.containers():
        if each["Labels"].get(labels.PROJECT) == project and (service := each["Labels"].get(labels.SERVICE)):
            found.setdefault(service, []).append(each)
    fronts = Fronts(engine.paths.root / "fronts")
    await asyncio.to_thread(fronts.ensure)
    forwarded = {port for booked, given in engine.book.read().items() if REPLICA in booked for port in given.values()}
    return [await _one(engine, fronts, forwarded, found[service]) for service in sorted(found)]


async def _one(engine: DockerEngine, fronts: Fronts, forwarded: Set[int], found: Sequence[Mapping[str, Any]]) -> ServiceStatus:
    project, service = (found[0]["Labels"][each] for each in (labels.PROJECT, labels.SERVICE))
    states = [seen(each) for each in found]
    details = [each for each in await asyncio.gather(*(_inspect(engine, each.id) for each in states)) if each]
    running = [each for each in states if each.state == "running"]
    health = [each.health for each in running if each.health]
    over = [each for each in details if each["State"]["Status"] in ("exited", "dead")]
    code = int(over[0]["State"]["ExitCode"]) if over and not running else None
    return ServiceStatus(
        project=project,
        service=service,
        state=_state(states, code),
        detail=", ".join(sorted(set(health) - {"healthy"})),
        running=len(running),
        wanted=len(states),
        healthy=all(each == "healthy" for each in health) if health else None,
        exit_code=code,
        started=min((_moment(each["State"]["StartedAt"]) for each in details if each["State"]["Running"]), default=None),
        restarts=sum(int(each["RestartCount"]) for each in details),
        pids=tuple(int(each["State"]["Pid"]) for each in details if each["State"]["Pid"]),
        endpoints=tuple(_endpoints(fronts, f"{project}.{service}", running, forwarded)),
    )


def _state(states: Sequence[Seen], code: int | None) -> str:
    """One word: that of the worst container."""
    words = {_WORDS.get(each.state, each.state) for each in states}
    if code:
        return "crashed"
    return next((word for word in ("crashed", "stopped", "starting", "exited", "running") if word in words), "stopped")


def _endpoints(fronts: Fronts, name: str, running: Sequence[Seen], forwarded: Set[int]) -> list[Endpoint]:
    """Where the forwarder answers for it, and what the engine publishes itself; not what only the forwarder is to find."""
    published = {port: target for each in running for target, protocol, port in each.ports if protocol == "tcp"}
    table = fronts.table(name)
    made = [
        _endpoint(host, port, next((published[to] for _, to in targets if to in published), port))
        for (host, port), targets in table
    ]
    behind = {to for _, targets in table for _, to in targets} | forwarded
    return made + [_endpoint(LOOPBACK, port, target) for port, target in sorted(published.items()) if port not in behind]


def _endpoint(host: str, port: int, target: int) -> Endpoint:
    """`target` is where the service listens inside."""
    scheme = "http" if Port(target=target).http else "tcp"
    return Endpoint(url=f"{scheme}://{LOOPBACK if host == ANYWHERE else host}:{port}", port=target)


async def _inspect(engine: DockerEngine, container: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = await engine.ask(lambda client: client.inspect_container(container))
    except NotThereError:
        return None
    return found


def _moment(stamp: str) -> float:
    """Epoch seconds of `2026-01-31T12:34:56.789012345Z`."""
    return calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))

"""Waits until containers are ready, tells what happens meanwhile, and ends early, with the last log lines, when they crash."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from defang_nb.errors import DeploymentFailedError, ProviderError
from defang_nb.model.events import LogLine, ServiceChanged, ServiceState
from defang_nb.model.project import Healthcheck
from defang_nb.providers.local.docker import spec
from defang_nb.providers.local.docker.container import LOOPBACK, Seen, of_urn
from defang_nb.providers.local.docker.engine import DockerEngine
from defang_nb.providers.local.process.waiting import so_far
from defang_nb.provision.ports import Operation

FIRST_LOOK, LAST_LOOK = 0.05, 0.5
"""Seconds between looks: more and more. All who wait look together."""
LOG_TAIL = 15
CRASHES = 3
_PORT_BUDGET = 120.0
"""Seconds that a service without a health check may take to listen."""
_SHORTEST_BUDGET = 30.0
SETTLED = 0.03
"""Seconds that a container with nothing to ask it has to stay up."""


class Waiter:
    """Watches one service's containers, which were seen when they had been started."""

    def __init__(self, engine: DockerEngine, operation: Operation, started: Sequence[Seen]) -> None:
        self.engine = engine
        self.emit = operation.emit
        self.urn = operation.resource.urn
        self.service = operation.resource.service
        self.containers = [each.id for each in started]
        said = operation.resource.inputs.get("healthcheck")
        self._own = spec.healthcheck(msgspec.convert(said, Healthcheck)) if said else {}
        self._told = ""
        self._codes: dict[str, int] = {}
        self._began = time.monotonic()
        # Docker tells of a health where there is a check, an image's own too; Podman does not always.
        self._asked = engine.found().name == "Podman" or any(each.health for each in started)

    async def well(self, there: Sequence[Seen], ports: Sequence[int]) -> Sequence[Seen]:
        """Until every container runs and is healthy; where nothing says what that is, listens on `ports` (of the loopback).

        `there` is all containers of the service as they were just now. Returns them as they were at last. Raises
        `DeploymentFailedError`.
        """
        check = await self._check()
        test = list(check.get("Test") or [])
        checked = bool(test) and test[0] != "NONE"
        budget = _budget(check) if checked else _PORT_BUDGET
        pause = FIRST_LOOK
        while True:
            trouble = await self._trouble(self._among(there), test if checked else [], ports)
            if not trouble:
                return there
            self.tell(f"waiting: {trouble}")
            if time.monotonic() - self._began > budget:
                raise await self.failure(f"{self.service} did not become healthy in {budget:g} s: {trouble}")
            await asyncio.sleep(pause)
            pause = min(LAST_LOOK, pause * 1.5)
            there = await of_urn(self.engine, self.urn)

    async def _check(self) -> Mapping[str, Any]:
        """The health check that holds; empty where there is none. Podman does not tell a service's own as it is."""
        if self._own.get("Test"):
            return self._own
        if not (self._asked and self.containers):
            return {}
        details = await self.engine.ask(partial(_inspect, container=self.containers[0]))
        return details["Config"].get("Healthcheck") or {}

    async def done(self) -> float:
        """Until the one-off has ended with exit code 0; the seconds it took. Raises `DeploymentFailedError`."""
        pause = FIRST_LOOK
        while True:
            states = self._among(await of_urn(self.engine, self.urn))
            if not states:
                raise DeploymentFailedError(f"{self.service} was removed before it ended")
            if states[0].state in ("exited", "dead"):
                if code := states[0].code:
                    raise await self.failure(f"{self.service} exited with code {code}")
                return time.monotonic() - self._began
            self.tell(so_far(time.monotonic() - self._began))
            await asyncio.sleep(pause)
            pause = min(LAST_LOOK, pause * 1.5)

    def tell(self, detail: str) -> None:
        if detail != self._told:
            self._told = detail
            self.emit(ServiceChanged(service=self.service, state=ServiceState.DEPLOYMENT_PENDING, detail=detail))

    async def _trouble(self, states: Sequence[Seen], test: Sequence[str], ports: Sequence[int]) -> str:
        if len(states) < len(self.containers):
            raise await self.failure(f"{self.service}: a container was removed by somebody else")
        for each in states:
            await self._crashed(each)
        if any(each.state != "running" for each in states):
            return "starting"
        if test:
            return await self._unhealthy(states, test)
        if ports:
            silent = [port for port in ports if not await asyncio.to_thread(listens, port)]
            return "nothing answers on its port yet" if silent else ""
        return ""

    async def _unhealthy(self, states: Sequence[Seen], test: Sequence[str]) -> str:
        """The engine asks at the check's interval only, which may be half a minute: until then we ask as well."""
        for each in states:
            if each.health == "healthy":
                continue
            with contextlib.suppress(ProviderError, TimeoutError):  # as good as a check that failed
                async with asyncio.timeout(_SHORTEST_BUDGET):
                    if await self.engine.ask(partial(_run, container=each.id, test=test)) == 0:
                        continue
            return "its health check fails"
        return ""

    async def _crashed(self, container: Seen) -> None:
        """It ended, and nobody starts it again; or it was started again and again."""
        if container.state in ("exited", "dead"):
            raise await self.failure(f"{self.service} exited with code {container.code}", container.id)
        # Podman has no word for what is between two starts, and starts again at once: it is seen as running, now and then.
        if container.state == "restarting" or self.engine.found().name == "Podman":
            details = await self.engine.ask(partial(_inspect, container=container.id))
            if (count := details["RestartCount"]) >= CRASHES:
                code = self._codes.get(container.id) or details["State"]["ExitCode"]
                raise await self.failure(f"{self.service} exited with code {code}, {count} times", container.id)

    def _among(self, found: Sequence[Seen]) -> list[Seen]:
        """Its own."""
        mine = [each for each in found if each.id in self.containers]
        self._codes |= {each.id: each.code for each in mine if each.code}  # it is 0 again while it is being started
        return mine

    async def failure(self, message: str, container: str = "") -> DeploymentFailedError:
        """An error, after the last lines of the log were told. Raises `TransientError` where it is the engine that ends."""
        await self.engine.confirm()
        with contextlib.suppress(ProviderError):
            place = container or self.containers[0]
            data: bytes = await self.engine.ask(lambda client: client.logs(place, tail=LOG_TAIL))
            for line in data.decode("utf-8", "replace").splitlines():
                self.emit(LogLine(service=self.service, line=line))
        return DeploymentFailedError(message, hint=f"`logs {self.service}` shows what it wrote")


def listens(port: int) -> bool:
    """Whether something is behind a published port: the engine itself takes the connection, and drops it when nothing is."""
    try:
        with socket.create_connection((LOOPBACK, port), 1.0) as connection:
            connection.settimeout(0.1)
            return connection.recv(1, socket.MSG_PEEK) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def _inspect(client: Any, container: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.inspect_container(container)
    return found


def _budget(check: Mapping[str, Any]) -> float:
    """Seconds until a service that never gets well is unhealthy, as Docker counts: the start period, then all its retries."""
    seconds = {key: (check.get(key) or 0) / 1e9 for key in ("StartPeriod", "Interval")}
    return max(_SHORTEST_BUDGET, seconds["StartPeriod"] + (check.get("Retries") or 3) * (seconds["Interval"] or 30.0))


def _run(client: Any, container: str, test: Sequence[str]) -> int:
    """Run a health check's own command inside; its exit code. Its words are not told: they may quote secrets."""
    command = ["/bin/sh", "-c", " ".join(test[1:])] if test[0] == "CMD-SHELL" else list(test[1:])
    run = client.exec_create(container, command)["Id"]
    client.exec_start(run)
    return int(client.exec_inspect(run)["ExitCode"] or 0)

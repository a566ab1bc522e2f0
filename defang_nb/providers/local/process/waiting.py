"""Waits until a service is ready, and tells what happens meanwhile; ends early, with the last log lines, when it crashes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from defang_nb.errors import DeploymentFailedError
from defang_nb.model.events import LogLine, ServiceChanged, ServiceState
from defang_nb.providers.local.process import orphans
from defang_nb.providers.local.process.engine import Engine, program
from defang_nb.providers.local.process.launchfile import LAUNCHER
from defang_nb.providers.local.process.logs import last_lines, written
from defang_nb.providers.local.process.ports import foreign, listening
from defang_nb.providers.local.process.probe import Probe, ask
from defang_nb.providers.local.process.supervisor import ProcessInfo
from defang_nb.provision.ports import Emit

POLL = 0.2
LOG_TAIL = 15
CRASHES = 3
"""So many ends of a service that is started again each time, and it is given up: one crash may be a database not ready yet."""


class Waiter:
    """Watches one service's programs. `budget` is how many seconds it may take to become well; `seconds` is one check's."""

    def __init__(self, engine: Engine, emit: Emit, project: str, service: str, replicas: int = 1) -> None:
        self.engine = engine
        self.emit = emit
        self.project = project
        self.service = service
        self.programs = [program(project, service, number) for number in range(1, replicas + 1)]
        self._told = ""

    async def well(self, probe: Probe, *, budget: float, seconds: float, restart: str) -> None:
        """Until every program runs and the probe is content. Raises `DeploymentFailedError`."""
        deadline = time.monotonic() + budget
        while True:
            began = time.monotonic()
            infos = await self.engine.supervisor.infos()
            states = [infos.get(name) for name in self.programs]
            await self._crashed(states, restart)
            trouble = "starting"
            if all(state and state.alive for state in states):
                if probe.kind == "none":
                    trouble = "" if all(state and state.state == "RUNNING" for state in states) else "starting"
                else:
                    trouble = await self._check(probe, seconds)
            if not trouble:
                return
            self.tell(f"waiting: {trouble}")
            if time.monotonic() >= deadline:
                raise await self._failure(
                    f"{self.service} did not become healthy in {budget:g} s: {trouble}", self._hint(probe)
                )
            # A check that is a program of its own must not take the processor from the service that it waits for.
            await asyncio.sleep(max(POLL, 2 * (time.monotonic() - began)) if probe.kind == "exec" else POLL)

    async def done(self) -> float:
        """Until the one-off has ended with exit code 0; the seconds it took. Raises `DeploymentFailedError`."""
        began = time.monotonic()
        while True:
            infos = await self.engine.supervisor.infos()
            info = infos.get(self.programs[0])
            if info is None or info.state in ("FATAL", "STOPPED", "UNKNOWN"):
                raise await self._failure(f"{self.service} was stopped before it ended")
            if info.state == "EXITED":
                if info.exit_status:
                    raise await self._failure(f"{self.service} exited with code {info.exit_status}")
                return time.monotonic() - began
            self.tell(so_far(time.monotonic() - began))
            await asyncio.sleep(POLL / 2)

    def tell(self, detail: str) -> None:
        if detail != self._told:
            self._told = detail
            self.emit(ServiceChanged(service=self.service, state=ServiceState.DEPLOYMENT_PENDING, detail=detail))

    async def _crashed(self, states: Sequence[ProcessInfo | None], restart: str) -> None:
        for number, (name, state) in enumerate(zip(self.programs, states, strict=True), 1):
            ends = self.engine.supervisor.exits(name)
            again = restart == "true" or (restart == "unexpected" and state is not None and state.exit_status)
            over = state is None or state.state in ("FATAL", "STOPPED") or (state.state == "EXITED" and not again)
            if over or len(ends) >= CRASHES:
                how = ends[-1] if ends else f"exit status {state.exit_status}" if state else "stopped"
                message = f"{self.service} {_in_words(how)}" + (f", {len(ends)} times" if len(ends) > 1 else "")
                raise await self._failure(message, number=number)

    async def _failure(self, message: str, hint: str = "", number: int = 1) -> DeploymentFailedError:
        log = self.engine.log(self.project, self.service, number)
        await written(log)
        for line in last_lines(log, LOG_TAIL):
            self.emit(LogLine(service=self.service, line=line))
        return DeploymentFailedError(message, hint=hint or f"`logs {self.service}` shows what it wrote")

    async def _check(self, probe: Probe, seconds: float) -> str:
        if probe.kind != "exec":
            trouble = await ask(probe, seconds)
            if not trouble and probe.port and not probe.sockets:
                return await asyncio.to_thread(self._answered_by_another, probe.port)
            return trouble
        launch = self.engine.folder(self.project, self.service) / "launch.1.json"
        return await run_check(launch, seconds)

    def _answered_by_another(self, port: int) -> str:
        """An answer says nothing when it is not ours: somebody else may have taken the port a moment before the service."""
        ours = self._members(self.programs)
        if not (other := foreign(port, ours)):
            return ""
        # A process that left its group is still ours, by its mark.
        ours += [each for name in self.programs for each in orphans.marked(self.engine.paths.root, name)]
        return f"{other} answers on port {port}" if foreign(port, ours) else ""

    def _members(self, programs: Sequence[str]) -> list[psutil.Process]:
        notes = [orphans.read_note(self.engine.supervisor.pid_file(name)) for name in programs]
        return [process for note in notes if note for process in orphans.members(note.pid)]

    def _hint(self, probe: Probe) -> str:
        """Where the service listens instead, if it does."""
        found_ports = {port for process in self._members(self.programs[:1]) for port in listening(process)}
        if probe.port and found_ports and probe.port not in found_ports:
            found = ", ".join(str(port) for port in sorted(found_ports))
            return f"it listens on port {found} rather than {probe.port}: have it listen on $PORT, or publish that port"
        return ""


async def run_check(launch: Path, seconds: float) -> str:
    """Run a health check's own command in the service's environment: "" or the last line that it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(LAUNCHER), str(launch), "--health",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            await process.communicate()
    except TimeoutError:
        return f"the health check takes longer than {seconds:g} s"
    finally:
        if process.returncode is None:
            orphans.end(orphans.members(process.pid), grace=0.2)
            await process.wait()
    # Its words are not told: they may quote the environment, secrets and all.
    return "" if process.returncode == 0 else f"the health check ended with code {process.returncode}"


def _in_words(how: str) -> str:
    if how.startswith("exit status "):
        return f"exited with code {how.removeprefix('exit status ')}"
    return f"was {how}" if how.startswith("terminated") else how


def so_far(seconds: float) -> str:
    """How long a one-off runs already: told more and more rarely, since each change is an event that is kept."""
    step = 1 if seconds < 5 else 5 if seconds < 60 else 30
    return f"runs once, for {int(seconds // step * step)} s so far"

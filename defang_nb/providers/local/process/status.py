"""What runs now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from defang_nb.model.status import ServiceStatus
from defang_nb.model.view import Endpoint
from defang_nb.providers.local.process.engine import Engine, ServiceNote, program
from defang_nb.providers.local.process.supervisor import ProcessInfo

_WORDS = {
    "STARTING": "starting", "RUNNING": "running", "BACKOFF": "crashed", "FATAL": "crashed", "STOPPING": "stopped",
    "STOPPED": "stopped", "EXITED": "exited",
}  # fmt: skip


async def status(engine: Engine, project: str) -> list[ServiceStatus]:
    """Every service that was made and not deleted, by name."""
    infos = await engine.supervisor.infos()
    return [await _one(engine, note, infos) for note in engine.notes(project)]


async def _one(engine: Engine, note: ServiceNote, infos: Mapping[str, ProcessInfo]) -> ServiceStatus:
    names = [program(note.project, note.service, number) for number in range(1, note.replicas + 1)]
    states = [infos[name] for name in names if name in infos]
    endpoints = tuple(Endpoint(**each) for each in note.outputs.get("endpoints", ()))
    running = sum(each.alive for each in states)
    worst = min(states, key=lambda each: (each.alive, each.state != "FATAL"), default=None)
    state = _WORDS.get(worst.state, "stopped") if worst else "stopped"
    healthy = await listens(endpoints[0].url) if running and endpoints else None
    if state == "starting" and healthy:
        state = "running"
    over = worst is not None and worst.state == "EXITED"
    return ServiceStatus(
        project=note.project,
        service=note.service,
        state="crashed" if over and worst and worst.exit_status and not note.one_off else state,
        running=running,
        wanted=note.replicas,
        healthy=healthy,
        exit_code=worst.exit_status if over and worst else None,
        started=min((each.started for each in states if each.alive), default=None),
        restarts=sum(max(0, engine.supervisor.starts(name) - 1) for name in names),
        pids=tuple(each.pid for each in states if each.pid),
        endpoints=endpoints,
    )


async def listens(url: str) -> bool:
    """Whether somebody takes a connection at an endpoint of this machine (`http://127.0.0.1:8000`), within a second."""
    port = int(url.rpartition(":")[2])
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            # A server that takes one connection at a time waits for this one's end.
            await writer.wait_closed()
            return True
    return False

"""What containers use, as the engine counts it.

Source: Docker Engine API, "Get container stats"; memory without the page cache that can be dropped, as `docker stats` shows it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from defang_nb.model.status import Usage
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import DockerEngine, NotThereError, TakenError

_PAUSE = 1.0
_FIRST = 0.3
"""Seconds until the first sample, which needs a moment before it to compare with."""


async def usage(engine: DockerEngine, project: str, services: Sequence[str]) -> AsyncGenerator[Sequence[Usage], None]:
    """A sample about each second; of every running container of `services` (none: all of the project)."""
    whole = int((await engine.ask(lambda client: client.info())).get("MemTotal") or 0)
    before: dict[str, tuple[float, int]] = {}
    pause = 0.0
    while True:
        began = time.monotonic()
        running = [each for each in await engine.containers() if _wanted(each, project, services)]
        read = await asyncio.gather(*(_read(engine, each["Id"]) for each in running))
        now, sample = time.time(), []
        for found, stats in zip(running, read, strict=True):
            if stats and (spent := int(stats["cpu_stats"]["cpu_usage"].get("total_usage") or 0)):
                if found["Id"] in before:
                    sample.append(_usage(found, stats, spent, now, before[found["Id"]], whole))
                before[found["Id"]] = (now, spent)
        if pause:
            yield sorted(sample, key=lambda each: (each.service, each.replica))
        pause = _PAUSE if pause else _FIRST
        await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))


def _wanted(found: Mapping[str, Any], project: str, services: Sequence[str]) -> bool:
    marks = found.get("Labels") or {}
    mine = marks.get(labels.PROJECT) == project and bool(marks.get(labels.SERVICE)) and found.get("State") == "running"
    return mine and (not services or marks[labels.SERVICE] in services)


async def _read(engine: DockerEngine, container: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = await engine.ask(lambda client: client.stats(container, stream=False, one_shot=True))
    except (NotThereError, TakenError):
        return None
    return found


def _usage(
    found: Mapping[str, Any], stats: Mapping[str, Any], spent: int, now: float, before: tuple[float, int], whole: int
) -> Usage:
    memory, marks = stats.get("memory_stats") or {}, found["Labels"]
    detail = memory.get("stats") or {}
    droppable = detail.get("inactive_file", detail.get("total_inactive_file", 0))
    limit = int(memory.get("limit") or 0)
    networks = (stats.get("networks") or {}).values()
    return Usage(
        service=marks[labels.SERVICE],
        replica=int(marks.get(labels.REPLICA) or 1),
        time=now,
        cpu=max(0, spent - before[1]) / 1e9 / max(now - before[0], 1e-3),
        memory=max(0, int(memory.get("usage") or 0) - int(droppable)),
        limit=limit if 0 < limit < whole else None,
        processes=int((stats.get("pids_stats") or {}).get("current") or 0),
        received=sum(int(each.get("rx_bytes") or 0) for each in networks) if networks else None,
        sent=sum(int(each.get("tx_bytes") or 0) for each in networks) if networks else None,
    )

"""What the processes of services use of this machine, as psutil sees it.

A replica is the program that is supervised, its group and all that descend from it (PostgreSQL gives each of its processes a
session of its own). Memory is each process's proportional share where the system tells it, since forks share most of theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

import psutil

from defang_nb.model.status import Usage
from defang_nb.providers.local.process import orphans
from defang_nb.providers.local.process.engine import Engine, program

_PAUSE = 1.0
_FIRST = 0.3
"""Seconds until the first sample, which needs a moment before it to compare with."""

_Times = Mapping[tuple[int, float], float]
"""Seconds of CPU by process: its id, and its time of creation, since ids are used again."""


async def usage(engine: Engine, project: str, services: Sequence[str]) -> AsyncGenerator[Sequence[Usage], None]:
    """A sample about each second; of every running replica of `services` (none: all of the project)."""
    meter = _Meter(engine, project, services)
    await asyncio.to_thread(meter.read)
    pause = _FIRST
    while True:
        await asyncio.sleep(pause)
        yield await asyncio.to_thread(meter.read)
        pause = _PAUSE


class _Meter:
    def __init__(self, engine: Engine, project: str, services: Sequence[str]) -> None:
        self._engine = engine
        self._project = project
        self._services = services
        self._before: dict[str, _Times] = {}
        self._read = time.time()

    def read(self) -> list[Usage]:
        """Blocking. What was used since it was called last, and is used now."""
        now, since = time.time(), self._read
        self._read = now
        families = _Families()
        found = []
        for note in self._engine.notes(self._project):
            if self._services and note.service not in self._services:
                continue
            for replica in range(1, note.replicas + 1):
                name = program(note.project, note.service, replica)
                leader = orphans.read_note(self._engine.supervisor.pid_file(name))
                process = orphans.leader(leader) if leader else None
                if process is None:
                    continue
                members = families.of(process.pid)
                times = _times(members)
                spent = _spent(self._before.get(name, {}), times, since)
                self._before[name] = times
                found.append(
                    Usage(
                        service=note.service, replica=replica, time=now, cpu=spent / max(now - since, 1e-3),
                        memory=sum(_memory(each) for each in members), processes=len(members),
                    )
                )  # fmt: skip
        return found


class _Families:
    """Who belongs to whom, in one look at all processes."""

    def __init__(self) -> None:
        self._children: dict[int, list[int]] = {}
        self._groups: dict[int, list[int]] = {}
        self._known: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                self._known[process.pid] = process
                self._children.setdefault(process.ppid(), []).append(process.pid)
                self._groups.setdefault(os.getpgid(process.pid), []).append(process.pid)

    def of(self, leader: int) -> list[psutil.Process]:
        found: dict[int, psutil.Process] = {}
        waiting = [leader, *self._groups.get(leader, ())]
        while waiting:
            pid = waiting.pop()
            if pid not in found and pid in self._known:
                found[pid] = self._known[pid]
                waiting += self._children.get(pid, ())
        return list(found.values())


def _times(processes: Iterable[psutil.Process]) -> _Times:
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[process.pid, process.create_time()] = times.user + times.system
    return found


def _spent(before: _Times, now: _Times, since: float) -> float:
    """Seconds of CPU; of a process that was not seen before, all of its own if it is that young."""
    return sum(spent - before[key] if key in before else (spent if key[1] >= since else 0.0) for key, spent in now.items())


def _memory(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        try:
            full = process.memory_full_info()
            return int(getattr(full, "pss", 0) or full.uss)
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
    return 0

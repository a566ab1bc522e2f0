"""Reads what services wrote: timestamped files, merged by time, followed by looking again."""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import fcntl
import heapq
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from defang_nb.model.status import LogQuery, LogRecord

_POLL = 0.1


async def read(folder: Path, query: LogQuery) -> AsyncIterator[LogRecord]:
    """The lines in `folder` (`<service>.<replica>.log`, and `….1` for the older half) that `query` asks for."""
    tails: dict[Path, _Tail] = {}
    records = await asyncio.to_thread(lambda: sorted(_all(folder, query, tails), key=lambda each: each.time))
    if query.tail is not None:
        records = records[len(records) - min(query.tail, len(records)) :]
    for record in records:
        yield record
    while query.follow and (query.until is None or time.time() <= query.until):
        await asyncio.sleep(_POLL)
        for record in heapq.merge(*_new(folder, query, tails), key=lambda each: each.time):
            yield record


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of one file, without their times."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64 * 1024))
        lines = file.read().decode("utf-8", "replace").splitlines()
        return [line.partition(" ")[2] for line in lines[-count:]]
    return []


def parse_time(stamp: str) -> float | None:
    """Epoch seconds of `2026-01-31T12:34:56.789Z`."""
    try:
        whole = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
        return whole + float(stamp[19:-1] or 0)
    except ValueError:
        return None


class _Tail:
    """A file that grows: gives the lines that came since the last look, and notices when it was begun anew."""

    def __init__(self, path: Path, service: str, replica: int) -> None:
        self.path = path
        self.service = service
        self.replica = replica
        self.offset = 0
        self.inode = 0

    def look(self) -> Iterator[LogRecord]:
        try:
            with self.path.open("rb") as file:
                found = self.path.stat()
                if found.st_ino != self.inode or found.st_size < self.offset:
                    self.offset, self.inode = 0, found.st_ino
                file.seek(self.offset)
                data = file.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.decode("utf-8", "replace").split("\n")[:-1]:
            stamp, _, text = line.partition(" ")
            if (moment := parse_time(stamp)) is not None:
                yield LogRecord(service=self.service, time=moment, line=text, replica=self.replica)


def _tails(folder: Path, query: LogQuery, tails: dict[Path, _Tail]) -> list[_Tail]:
    for path in sorted(folder.glob("*.log")):
        service, _, replica = path.stem.rpartition(".")
        if path not in tails and replica.isdigit() and (not query.services or service in query.services):
            tails[path] = _Tail(path, service, int(replica))
    return list(tails.values())


def _all(folder: Path, query: LogQuery, tails: dict[Path, _Tail]) -> Iterator[LogRecord]:
    for tail in _tails(folder, query, tails):
        older = _Tail(tail.path.with_name(f"{tail.path.name}.1"), tail.service, tail.replica)
        yield from (each for each in [*older.look(), *tail.look()] if query.wants(each))


def _new(folder: Path, query: LogQuery, tails: dict[Path, _Tail]) -> list[list[LogRecord]]:
    return [[each for each in tail.look() if query.wants(each)] for tail in _tails(folder, query, tails)]


async def written(log: Path) -> None:
    """Wait until the last words of an ended program are in its log: what copies them holds a lock. Not for long."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        for _ in range(50):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                await asyncio.sleep(0.02)

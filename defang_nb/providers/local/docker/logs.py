"""Reads what containers wrote: of all of a project's, merged by time, and followed as new ones come."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from defang_nb.build.log import Text
from defang_nb.model.status import LogQuery, LogRecord
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import DockerEngine
from defang_nb.providers.local.process.logs import parse_time

_LOOK = 1.0
"""Seconds between looks for containers that came since."""
_ORDER = 0.02
"""Seconds in which the lines of several containers are put in order before they are given."""


async def read(engine: DockerEngine, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
    """The lines that `query` asks for."""
    past: list[LogRecord] = []
    ends: dict[str, float] = {}
    for found in await _containers(engine, project, query):
        records = await engine.ask(partial(_past, found=found, query=query))
        ends[found["Id"]] = records[-1].time if records else query.since or 0.0
        past += [each for each in records if query.wants(each)]
    past.sort(key=lambda each: each.time)
    for record in past[len(past) - min(query.tail, len(past)) :] if query.tail is not None else past:
        yield record
    if query.follow:
        following = _Following(engine, project, query, ends)
        try:
            async for record in following.records():
                yield record
        finally:
            await asyncio.to_thread(following.close)


async def _containers(engine: DockerEngine, project: str, query: LogQuery) -> list[Mapping[str, Any]]:
    found = [each for each in await engine.containers() if each["Labels"].get(labels.PROJECT) == project]
    return [each for each in found if not query.services or each["Labels"].get(labels.SERVICE) in query.services]


def _past(client: Any, found: Mapping[str, Any], query: LogQuery) -> list[LogRecord]:
    text = Text()
    data = client.logs(
        found["Id"],
        timestamps=True,
        since=query.since or None,
        until=query.until,
        tail="all" if query.tail is None or query.containing else query.tail,
    )
    records = [_record(found, line) for line in [*text.feed(data), *text.end()]]
    return [each for each in records if each and (query.since is None or each.time >= query.since)]


def _record(found: Mapping[str, Any], line: str) -> LogRecord | None:
    stamp, _, words = line.partition(" ")
    moment = parse_time(stamp)
    if moment is None:
        return None
    marks = found["Labels"]
    replica = int(marks.get(labels.REPLICA) or 1)
    return LogRecord(service=marks.get(labels.SERVICE, ""), time=moment, line=words, replica=replica)


class _Following:
    """A thread for each container, since the engine sends each one's lines over a connection of its own."""

    def __init__(self, engine: DockerEngine, project: str, query: LogQuery, ends: dict[str, float]) -> None:
        self._engine = engine
        self._project = project
        self._query = query
        self._ends = ends
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[LogRecord] = asyncio.Queue()
        self._threads: dict[str, threading.Thread] = {}
        self._streams: dict[str, Any] = {}
        self._closed = False

    async def records(self) -> AsyncIterator[LogRecord]:
        looked = 0.0
        while self._query.until is None or time.time() <= self._query.until:
            if time.monotonic() - looked >= _LOOK:
                await self._attach()
                looked = time.monotonic()
            batch: list[LogRecord] = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    batch.append(await self._queue.get())
            if batch and len(self._threads) > 1:
                await asyncio.sleep(_ORDER)
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            for record in sorted(batch, key=lambda each: each.time):
                yield record

    async def _attach(self) -> None:
        for found in await _containers(self._engine, self._project, self._query):
            id_ = found["Id"]
            if found.get("State") == "running" and not (id_ in self._threads and self._threads[id_].is_alive()):
                self._threads[id_] = threading.Thread(target=self._follow, args=(found,), daemon=True, name=f"logs {id_[:12]}")
                self._threads[id_].start()

    def _follow(self, found: Mapping[str, Any]) -> None:
        id_, text, client = found["Id"], Text(), self._engine.connect(timeout=None)  # a quiet service is no dead engine
        try:
            stream = client.logs(id_, timestamps=True, stream=True, follow=True, since=self._ends.get(id_) or None)
            self._streams[id_] = stream
            for data in stream:
                if self._closed:
                    break
                for line in text.feed(data):
                    record = _record(found, line)
                    if record and record.time > self._ends.get(id_, 0.0):
                        self._ends[id_] = record.time
                        if self._query.containing not in record.line:
                            continue
                        self._loop.call_soon_threadsafe(self._queue.put_nowait, record)
        except Exception:  # noqa: BLE001 - edge: the connection broke, or was closed; a container that still runs is attached again
            return
        finally:
            with contextlib.suppress(Exception):
                client.close()

    def close(self) -> None:
        self._closed = True
        for stream in self._streams.values():
            with contextlib.suppress(Exception):  # edge: whatever a socket that is closed from another thread says
                stream.close()
        for thread in self._threads.values():
            thread.join(2.0)

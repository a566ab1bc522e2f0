"""Reads what containers wrote: of all of a project's, merged by time, and followed as new ones come."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from defang_nb.model.status import LogQuery, LogRecord
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import DockerEngine
from defang_nb.providers.local.docker.stamped import NANO, Line, Mark, Stream

_LOOK = 1.0
"""Seconds between looks for containers that came since."""
_ORDER = 0.02
"""Seconds in which the lines of several containers are put in order before they are given."""


async def read(engine: DockerEngine, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
    """The lines that `query` asks for."""
    there = await _containers(engine, project, query)
    read = await asyncio.gather(*(engine.ask(partial(_past, found=each, query=query)) for each in there))
    marks = {found["Id"]: mark for found, (_, mark) in zip(there, read, strict=True)}
    past = sorted((each for records, _ in read for each in records), key=lambda each: each.time)
    for record in past[len(past) - min(query.tail, len(past)) :] if query.tail is not None else past:
        yield record
    if query.follow:
        following = _Following(engine, project, query, marks)
        try:
            async for record in following.records():
                yield record
        finally:
            await asyncio.to_thread(following.close)


async def _containers(engine: DockerEngine, project: str, query: LogQuery) -> list[Mapping[str, Any]]:
    found = [each for each in await engine.containers() if each["Labels"].get(labels.PROJECT) == project]
    return [each for each in found if not query.services or each["Labels"].get(labels.SERVICE) in query.services]


def _past(client: Any, found: Mapping[str, Any], query: LogQuery) -> tuple[list[LogRecord], Mark]:
    """What was written until now, and how far that is."""

    def lines(since: float | None, tail: int | None) -> list[Line]:
        asked = {"since": since or None, "until": query.until, "tail": "all" if tail is None else tail}
        stream = Stream()
        data = client.logs(found["Id"], timestamps=True, **asked)
        return [each for each in [*stream.feed(data), *stream.end()] if query.since is None or each.after(query.since)]

    if query.tail is None or query.containing:
        whole = lines(query.since, None)
    else:
        whole = lines(query.since, max(1, query.tail))
        if whole and whole[0].moment == whole[-1].moment:
            # The tail may be a part of what was written in one moment (Podman's is a second), all of which has to be counted.
            whole = lines(max(query.since or 0, whole[0].moment // NANO), None)
    mark = Mark()
    for each in whole:
        mark.read(each.moment)
    wanted = [each for each in whole if query.containing in each.words]
    tail = len(wanted) if query.tail is None else min(query.tail, len(wanted))
    return [_record(found, each) for each in wanted[len(wanted) - tail :]], mark


def _record(found: Mapping[str, Any], line: Line) -> LogRecord:
    marks = found["Labels"]
    replica = int(marks.get(labels.REPLICA) or 1)
    return LogRecord(service=marks.get(labels.SERVICE, ""), time=line.moment / NANO, line=line.words, replica=replica)


class _Following:
    """A thread for each container, since the engine sends each one's lines over a connection of its own."""

    def __init__(self, engine: DockerEngine, project: str, query: LogQuery, marks: dict[str, Mark]) -> None:
        self._engine = engine
        self._project = project
        self._query = query
        self._marks = marks
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
        # A quiet service is no dead engine.
        id_, client = found["Id"], self._engine.connect(timeout=None)
        mark = self._marks.setdefault(id_, Mark())
        stream, since = Stream(mark), max(mark.moment // NANO, self._query.since or 0) or None
        answer = None
        try:
            answer = self._streams[id_] = client.logs(id_, timestamps=True, stream=True, follow=True, since=since)
            for data in answer if not self._closed else ():
                for line in stream.feed(data):
                    mark.read(line.moment)
                    if self._query.containing in line.words:
                        self._loop.call_soon_threadsafe(self._queue.put_nowait, _record(found, line))
        except Exception:  # noqa: BLE001 - edge: the connection broke, or was closed; a container that still runs is attached again
            return
        finally:
            with contextlib.suppress(Exception):  # edge: as above
                if answer is not None:
                    answer._response.close()  # there is no public way; `answer.close` leaves a file over the socket open
                client.close()

    def close(self) -> None:
        self._closed = True
        for stream in list(self._streams.values()):
            with contextlib.suppress(Exception):  # edge: whatever a socket that is closed from another thread says
                stream.close()
        for thread in self._threads.values():
            thread.join(2.0)

"""A build's request to the engine: the context goes up, records come down as they are made, and it can be broken off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.image import ImageSource
from defang_nb.provision.ports import TransientError

Connect = Callable[[], Any]
"""Gives a new `docker.APIClient`, which its user closes."""

Record = Mapping[str, Any]
_ENDING = 10.0
"""Seconds that a build which was broken off has to end."""
_GONE = "the engine ended in the middle of the build"


@asynccontextmanager
async def building(
    connect: Connect, context: Path, parameters: Mapping[str, str], cancel: Callable[[Any], None]
) -> AsyncIterator[AsyncIterator[Record]]:
    """POST /build; gives the records of the answer. Left early, `cancel(client)` is called and the connection is cut.

    Raises `RefusedError` where the engine refuses, `TransientError` where it goes away.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Record | Exception | None] = asyncio.Queue()
    client = await asyncio.to_thread(connect)
    request = _Request(client, context, parameters)

    def post() -> None:
        try:
            for record in request.records():
                loop.call_soon_threadsafe(queue.put_nowait, record)
            loop.call_soon_threadsafe(queue.put_nowait, None)
        except Exception as error:  # noqa: BLE001 - edge: the thread's boundary; raised by who reads the queue
            loop.call_soon_threadsafe(queue.put_nowait, error)

    async def records() -> AsyncIterator[Record]:
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    working = asyncio.ensure_future(asyncio.to_thread(post))
    try:
        yield records()
    finally:
        if not working.done():
            ending = asyncio.ensure_future(asyncio.to_thread(request.end, cancel))
            with contextlib.suppress(TimeoutError):
                await asyncio.shield(asyncio.wait_for(asyncio.shield(working), _ENDING))
            await asyncio.shield(ending)
        client.close()


def parameters(source: ImageSource, args: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """The query of POST /build that both of the engine's builders read."""
    wanted = {
        "t": source.reference,
        "dockerfile": source.dockerfile or "Dockerfile",
        "target": source.target,
        "platform": source.platform,
        "buildargs": json.dumps(dict(args)) if args else "",
        "labels": json.dumps({**source.labels, **labels}) if source.labels or labels else "",
        "rm": "1",
        "forcerm": "1",
    }
    return {key: value for key, value in wanted.items() if value}


class RefusedError(ProviderError):
    """The engine did not begin to build; `said` is why."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"the engine refused to build ({status}): {said}")
        self.said = said


class _Request:
    def __init__(self, client: Any, context: Path, parameters: Mapping[str, str]) -> None:
        self._client = client
        self._context = context
        self._parameters = dict(parameters)
        self._socket: socket.socket | None = None

    def records(self) -> Iterator[Record]:
        """What the engine answers, one JSON value a line."""
        import requests

        url = f"{self._client.base_url}/v{self._client.api_version}/build"
        headers = {"Content-Type": "application/x-tar"}
        try:
            with self._context.open("rb") as body:
                answer = self._client.post(
                    url, params=self._parameters, data=body, headers=headers, stream=True, timeout=(60, None)
                )
            if answer.status_code != 200:
                raise RefusedError(answer.status_code, _reason(answer.text))
            self._socket = _socket_of(answer)
            with answer:
                for line in answer.iter_lines(chunk_size=None):
                    if line:
                        yield json.loads(line)
        except (requests.RequestException, OSError, ValueError) as error:
            raise TransientError(_GONE, hint="see whether the engine runs, and run up again", after=1.0) from error

    def end(self, cancel: Callable[[Any], None]) -> None:
        import requests

        with contextlib.suppress(requests.RequestException, OSError):
            cancel(self._client)
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _reason(text: str) -> str:
    """What an answer that is no success says. The request's address is not told: build arguments are in it."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:500]


def _socket_of(answer: Any) -> socket.socket | None:
    """The connection that an answer comes from: closing it from another thread would not wake up who reads from it."""
    raw = getattr(getattr(getattr(answer.raw, "_fp", None), "fp", None), "raw", None)
    found = getattr(raw, "_sock", None)
    return found if isinstance(found, socket.socket) else None

"""Commands inside containers, over a connection that the engine turns into their standard streams.

Source: Docker Engine API, "Start an exec instance" and "Attach to a container" (hijacking, the format of frames). The SDK's way
to that connection loses what the engine sends together with its answer's head, so the connection is made here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from defang_nb.errors import NotFoundError, ProviderError
from defang_nb.model.execution import Execution, Output, TerminalSize
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import DockerEngine
from defang_nb.providers.local.docker.find import spoken
from defang_nb.providers.local.hidden import Hiding
from defang_nb.providers.local.process.shim import launch

_CHUNK = 64 * 1024
_MARK = "DEFANG_NB_EXEC"
_END = 'for p in /proc/[0-9]*; do grep -q "$0" "$p/environ" 2>/dev/null && kill -9 "${p##*/}"; done'
"""Ends what carries a mark in its environment; where an image has no shell, what was left goes with the container."""
_LOOKS = 50


async def execute(engine: DockerEngine, project: str, execution: Execution) -> ContainerSession:
    """Raises `NotFoundError` for a service or replica that does not run, `ProviderError`."""
    container = await _container(engine, project, execution)
    mark = f"{_MARK}={uuid.uuid4().hex}"
    values = launch.read_config(str(engine.paths.config / f"{project}.json")) if execution.masked else {}

    def create(client: Any) -> str:
        made: Mapping[str, str] = client.exec_create(
            container,
            list(execution.command),
            stdin=True,
            tty=execution.terminal is not None,
            environment=[*(f"{key}={value}" for key, value in execution.env.items()), mark],
            workdir=execution.workdir or None,
            user=execution.user,
        )
        return made["Id"]

    session = ContainerSession(engine, container, await engine.ask(create), mark, launch.secrets_of(values))
    await session.start(execution.terminal)
    return session


async def _container(engine: DockerEngine, project: str, execution: Execution) -> str:
    name = execution.service
    mine = [
        each
        for each in await engine.containers()
        if each["Labels"].get(labels.PROJECT) == project and each["Labels"].get(labels.SERVICE) == name
    ]
    if not mine:
        raise NotFoundError(f"{name} is not deployed", hint="`ps` lists what is")
    numbered = [each for each in mine if int(each["Labels"].get(labels.REPLICA) or 1) == execution.replica]
    if not numbered:
        raise NotFoundError(f"{name} has no replica {execution.replica}", hint=f"it has {len(mine)}")
    running = [each["Id"] for each in numbered if each.get("State") == "running"]
    if not running:
        raise NotFoundError(f"{name} does not run now", hint=f"`restart {name}` starts it, `logs {name}` tells why it ended")
    return str(running[0])


class ContainerSession:
    """A `Session`."""

    def __init__(self, engine: DockerEngine, container: str, id_: str, mark: str, secrets: list[bytes]) -> None:
        self._engine = engine
        self._container = container
        self._id = id_
        self._mark = mark
        self._hidings = {False: Hiding(secrets), True: Hiding(secrets)}
        self._terminal = False
        self._over = False
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def start(self, terminal: TerminalSize | None) -> None:
        self._terminal = terminal is not None
        found = self._engine.found()
        place = urlsplit(found.host)
        if place.scheme == "unix":
            self._reader, self._writer = await asyncio.open_unix_connection(found.host.removeprefix("unix://"))
        else:
            self._reader, self._writer = await asyncio.open_connection(place.hostname, place.port or 2375)
        wish: dict[str, Any] = {"Detach": False, "Tty": self._terminal}
        if terminal:
            wish["ConsoleSize"] = [terminal.rows, terminal.columns]
        body = json.dumps(wish).encode()
        self._writer.write(
            f"POST /v{spoken(found.api)}/exec/{self._id}/start HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
            f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if head.split(" ", 2)[1] not in ("101", "200"):
            said = (await self._reader.read(_CHUNK)).decode("utf-8", "replace").strip()
            self._writer.close()
            raise ProviderError(f"the container engine refused: {said}")
        if terminal:
            await self.resize(terminal)

    async def output(self) -> AsyncIterator[Output]:
        with contextlib.suppress(ConnectionError):
            while True:
                error, data = await self._next()
                if not data:
                    break
                if shown := self._hidings[error].feed(data):
                    yield Output(shown, error)
        for error, hiding in self._hidings.items():
            if rest := hiding.end():
                yield Output(rest, error)

    async def _next(self) -> tuple[bool, bytes]:
        """A terminal's bytes come as they are; else each piece has a head, which tells its stream and its length."""
        if self._terminal:
            return False, await self._reader.read(_CHUNK)
        try:
            stream, length = struct.unpack(">BxxxL", await self._reader.readexactly(8))
            return stream == 2, await self._reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return False, b""

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            if data:
                self._writer.write(data)
                await self._writer.drain()
            elif self._terminal:
                self._writer.write(b"\x04")
            elif self._writer.can_write_eof():
                self._writer.write_eof()

    async def resize(self, size: TerminalSize) -> None:
        if self._terminal:
            with contextlib.suppress(ProviderError):  # it has ended, or its engine knows no sizes
                await self._engine.ask(lambda client: client.exec_resize(self._id, height=size.rows, width=size.columns))

    async def wait(self) -> int:
        for _ in range(_LOOKS):
            found = await self._engine.ask(lambda client: client.exec_inspect(self._id))
            if not found["Running"]:
                self._over = True
                return int(found["ExitCode"] or 0)
            await asyncio.sleep(0.02)
        raise ProviderError("the command's streams have ended, and it goes on", hint="ps inside of the container shows it")

    async def close(self) -> None:
        self._writer.close()
        if not self._over:
            with contextlib.suppress(ProviderError):
                await self._engine.ask(self._end)

    def _end(self, client: Any) -> None:
        if client.exec_inspect(self._id)["Running"]:
            run = client.exec_create(self._container, ["/bin/sh", "-c", _END, self._mark], user="0")["Id"]
            client.exec_start(run)

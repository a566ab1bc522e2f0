"""Commands that run beside a service: in its environment, its folder and its copy of the files, as what can be typed to.

The launcher starts them from the service's own launch file, so what is secret is resolved there, as for the service. They carry
its mark: what is left of them ends when the service does.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import json
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from defang_nb.errors import NotFoundError, UsageError
from defang_nb.model.execution import Execution, Output, TerminalSize
from defang_nb.model.value import Json
from defang_nb.providers.local.hidden import Hiding
from defang_nb.providers.local.process.engine import Engine
from defang_nb.providers.local.process.images.image import BuiltImage, load, rewrite
from defang_nb.providers.local.process.launchfile import LAUNCHER
from defang_nb.providers.local.process.shim import launch

_CHUNK = 64 * 1024
_LAST_WORDS = 0.2
"""Seconds for which an ended command's output is waited for, where something that it left behind holds it open."""
_GRACE = 2.0


async def execute(engine: Engine, project: str, execution: Execution) -> ProcessSession:
    """Raises `NotFoundError` for a service or replica that is not there, `UsageError` for another user."""
    note = engine.note(project, execution.service)
    file = engine.folder(project, execution.service) / f"launch.{execution.replica}.json"
    if note is None:
        raise NotFoundError(f"{execution.service} is not deployed", hint="`ps` lists what is")
    if not file.is_file():
        raise NotFoundError(f"{execution.service} has no replica {execution.replica}", hint=f"it has {note.replicas}")
    if execution.user:
        raise UsageError("processes of this machine run as you: --user needs containers")
    image = load(Path(note.image)) if note.image else None
    moved = image.at(engine.folder(project, execution.service) / "root") if image else None
    wish: dict[str, Json] = {
        "argv": [rewrite(word, moved) if moved else word for word in execution.command],
        "env": dict(execution.env),
        "cwd": _folder(execution.workdir, moved),
        "terminal": execution.terminal is not None,
    }
    values = launch.read_config(str(engine.config_file(project))) if execution.masked else {}
    session = ProcessSession(launch.secrets_of(values))
    environ = {**os.environ, launch.BESIDE: json.dumps(wish)}
    await session.start([sys.executable, "-I", "-S", str(LAUNCHER), str(file), "--beside"], environ, execution.terminal)
    return session


def _folder(workdir: str, image: BuiltImage | None) -> str:
    if not workdir:
        return ""
    place = image.host_path(workdir) if image else Path(workdir)
    if not place.is_dir():
        raise NotFoundError(f"there is no folder {workdir} in the service's files")
    return str(place)


class ProcessSession:
    """A `Session`. Not asyncio's own process, whose end is told only when nothing it left behind holds its pipes any more."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._chunks: asyncio.Queue[Output] = asyncio.Queue(16)
        self._readers: list[asyncio.Task[None]] = []
        self._process: subprocess.Popen[bytes]
        self._ended: asyncio.Future[int]
        self._terminal: int | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self._input: asyncio.StreamWriter

    async def start(self, argv: Sequence[str], environ: dict[str, str], terminal: TerminalSize | None) -> None:
        ours = self._spawn(argv, environ, terminal)
        self._ended = asyncio.ensure_future(asyncio.to_thread(self._process.wait))
        if ours is None:
            given, written = self._process.stdin, [self._process.stdout, self._process.stderr]
        else:
            given, written = os.fdopen(os.dup(ours), "wb", 0), [os.fdopen(os.dup(ours), "rb", 0)]
        loop = asyncio.get_running_loop()
        for index, each in enumerate(written):
            reader = asyncio.StreamReader()
            protocol = functools.partial(asyncio.StreamReaderProtocol, reader)
            self._transports.append((await loop.connect_read_pipe(protocol, each))[0])
            self._readers.append(asyncio.ensure_future(self._read(reader, error=index == 1)))
        held = asyncio.StreamReaderProtocol(asyncio.StreamReader())  # which knows how to wait for a slow reader
        transport, _ = await loop.connect_write_pipe(lambda: held, given)
        self._transports.append(transport)
        self._input = asyncio.StreamWriter(transport, held, None, loop)

    def _spawn(self, argv: Sequence[str], environ: dict[str, str], terminal: TerminalSize | None) -> int | None:
        """Our end of its terminal, if it gets one."""
        if terminal is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                argv, env=environ, cwd="/", stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
            return None
        self._terminal, its = os.openpty()
        _set_size(its, terminal)
        try:
            self._process = subprocess.Popen(
                argv, env=environ, cwd="/", stdin=its, stdout=its, stderr=its, start_new_session=True
            )
        finally:
            os.close(its)
        return self._terminal

    async def _read(self, reader: asyncio.StreamReader, *, error: bool) -> None:
        hiding = Hiding(self._secrets)
        # A terminal whose last user is gone says so by EIO.
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if shown := hiding.feed(data):
                    await self._chunks.put(Output(shown, error))
        if rest := hiding.end():
            await self._chunks.put(Output(rest, error))

    async def output(self) -> AsyncIterator[Output]:
        over = asyncio.ensure_future(asyncio.wait(self._readers))
        while not (over.done() and self._chunks.empty()):
            take = asyncio.ensure_future(self._chunks.get())
            ended = self._ended.done()
            waited: set[asyncio.Future[Any]] = {take, over} if ended else {take, over, self._ended}
            try:
                done, _ = await asyncio.wait(
                    waited, timeout=_LAST_WORDS if ended else None, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                if not take.done():
                    take.cancel()
            if take.done() and not take.cancelled():
                yield take.result()
            elif not done:
                return

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            if data:
                self._input.write(data)
                await self._input.drain()
            elif self._terminal is None:
                self._input.close()
            else:
                self._input.write(b"\x04")

    async def resize(self, size: TerminalSize) -> None:
        if self._terminal is not None:
            _set_size(self._terminal, size)

    async def wait(self) -> int:
        code = await asyncio.shield(self._ended)
        return code if code >= 0 else 128 - code

    async def close(self) -> None:
        for number, grace in ((signal.SIGHUP, 0.2), (signal.SIGTERM, _GRACE), (signal.SIGKILL, _GRACE)):
            if self._ended.done():
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            await asyncio.wait([self._ended], timeout=grace)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for transport in self._transports:
            transport.close()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None


def _set_size(terminal: int, size: TerminalSize) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))

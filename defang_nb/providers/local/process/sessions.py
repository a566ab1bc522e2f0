"""Commands that run beside a service: in its environment, its folder and its copy of the files, as what can be typed to.

The launcher starts them from the service's own launch file, so what is secret is resolved there, as for the service. They carry
its mark: what is left of them ends when the service does.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from defang_nb.errors import NotFoundError, UsageError
from defang_nb.model.execution import Execution, Output, TerminalSize
from defang_nb.model.value import Json
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
    """A `Session`. Without secrets to hide, what is written passes as it is, byte by byte."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._chunks: asyncio.Queue[Output] = asyncio.Queue(16)
        self._readers: list[asyncio.Task[None]] = []
        self._process: asyncio.subprocess.Process
        self._terminal: int | None = None
        self._input: asyncio.WriteTransport | asyncio.StreamWriter | None = None

    async def start(self, argv: Sequence[str], environ: dict[str, str], terminal: TerminalSize | None) -> None:
        if terminal is not None:
            await self._start_with_terminal(argv, environ, terminal)
            return
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *argv, env=environ, cwd="/", stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        self._input = self._process.stdin
        streams = (self._process.stdout, self._process.stderr)
        self._readers = [
            asyncio.ensure_future(self._read(each, error=index == 1)) for index, each in enumerate(streams) if each is not None
        ]

    async def _start_with_terminal(self, argv: Sequence[str], environ: dict[str, str], size: TerminalSize) -> None:
        ours, its = os.openpty()
        self._terminal = ours
        _set_size(ours, size)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *argv, env=environ, cwd="/", stdin=its, stdout=its, stderr=its, start_new_session=True
            )
        finally:
            os.close(its)
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(ours), "rb", 0))
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(os.dup(ours), "wb", 0))
        self._input = transport
        self._readers = [asyncio.ensure_future(self._read(reader, error=False))]

    async def _read(self, reader: asyncio.StreamReader, *, error: bool) -> None:
        rest = b""
        # A terminal whose last user is gone says so by EIO.
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if not self._secrets:
                    await self._chunks.put(Output(data, error))
                    continue
                whole, _, rest = (rest + data).rpartition(b"\n")
                if whole or len(rest) < len(data):
                    await self._chunks.put(Output(self._hidden(whole + b"\n"), error))
        if rest:
            await self._chunks.put(Output(self._hidden(rest), error))

    def _hidden(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, launch.MASK.encode())
        return data

    async def output(self) -> AsyncIterator[Output]:
        over = asyncio.gather(*self._readers)
        ended = asyncio.ensure_future(self._process.wait())
        while not (over.done() and self._chunks.empty()):
            take = asyncio.ensure_future(self._chunks.get())
            try:
                patience = _LAST_WORDS if ended.done() else None
                waited: set[asyncio.Future[Any]] = {take, over} if ended.done() else {take, over, ended}
                done, _ = await asyncio.wait(waited, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not take.done():
                    take.cancel()
            if take in done:
                yield take.result()
            elif not done:
                return

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            if self._input is None:
                return
            if data:
                self._input.write(data)
                if isinstance(self._input, asyncio.StreamWriter):
                    await self._input.drain()
            elif self._terminal is None:
                self._input.close()
            else:
                self._input.write(b"\x04")

    async def resize(self, size: TerminalSize) -> None:
        if self._terminal is not None:
            _set_size(self._terminal, size)

    async def wait(self) -> int:
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    async def close(self) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 0.2 if number == signal.SIGHUP else _GRACE)
        for reader in self._readers:
            reader.cancel()
        if self._input is not None:
            self._input.close()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None


def _set_size(terminal: int, size: TerminalSize) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))

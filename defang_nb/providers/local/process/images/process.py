"""Runs one child of a build: no shell, its own process group, output line by line, and nothing of it left behind."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from defang_nb.providers.local.process.images.leftovers import mark

T = TypeVar("T")

_GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL when a build is cancelled."""


async def run(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
    """Run `words` and give its exit code; each line of its output (both streams) goes to `on_line` as it comes.

    A program that can't be started counts as exit code 127. When cancelled, the whole process group is ended first.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *words,
            cwd=cwd,
            env={**env, **mark()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        on_line(f"{words[0]}: {error.strerror}")
        return 127
    try:
        if child.stdout:
            await _lines(child.stdout, on_line)
        return await child.wait()
    finally:
        await _end(child)


async def in_thread(function: Callable[[], T]) -> T:
    """Run blocking file work beside the event loop. When cancelled, it still waits for the thread, which can't be stopped."""
    task = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):  # edge: the cancellation is what is told
            await task
        raise


async def _lines(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    while chunk := await stream.read(64 * 1024):
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in lines:
            on_line(_shown(line))
    if rest.strip():
        on_line(_shown(rest))


def _shown(line: str) -> str:
    """What a terminal would show of a line that a progress bar rewrote."""
    return line.rstrip().rpartition("\r")[2]


async def _end(child: asyncio.subprocess.Process) -> None:
    """Make sure that nothing of the child's process group lives on."""
    waiting = asyncio.ensure_future(child.wait())
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        await asyncio.wait([waiting], timeout=_GRACE)
    await waiting

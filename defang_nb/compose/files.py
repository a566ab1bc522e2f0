"""Reading files that people name, whatever they turn out to be: pipes that nobody writes to, devices, much too large ones."""

from __future__ import annotations

import codecs
import os
import select
import stat
import time
from pathlib import Path

from defang_nb.compose.limits import PIPE_SECONDS

_CHUNK = 1 << 20


class FileError(Exception):
    """The file can't be read; `hint` is what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read(file: str, limit: int) -> bytes:
    """All of `file`, at most `limit` bytes. Raises FileError; FileNotFoundError when nothing is there.

    Pipes may be read, since a shell's `<(…)` is one, while somebody writes to them; of devices only /dev/null.
    """
    try:
        kind = Path(file).stat()
        if stat.S_ISCHR(kind.st_mode) and os.path.samestat(kind, Path(os.devnull).stat()):
            return b""
        if stat.S_ISDIR(kind.st_mode):
            raise FileError("is a folder", "name a file in it")
        if not (stat.S_ISREG(kind.st_mode) or stat.S_ISFIFO(kind.st_mode)):
            raise FileError("is a device or a socket, no file", "name a file that holds text")
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            return _all(descriptor, limit, pipe=stat.S_ISFIFO(kind.st_mode))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise FileError(f"can't be read: {problem.strerror}", "name a file that you may read") from None
    except ValueError:  # a NUL, or half of a surrogate pair
        raise FileError("can't be read: no file can have that name", "name a file that you may read") from None


def _all(descriptor: int, limit: int, *, pipe: bool) -> bytes:
    parts: list[bytes] = []
    size = 0
    until = time.monotonic() + PIPE_SECONDS
    while True:
        try:
            part = os.read(descriptor, _CHUNK)
        except BlockingIOError:  # somebody has the pipe open, and may write yet
            if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
                raise FileError("is a pipe that says nothing", "name a file, or write to the pipe") from None
            continue
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > limit:
            raise FileError(f"is larger than {limit >> 20} MiB", "is it the right file?")
    if pipe and not parts:
        raise FileError("is a pipe that nobody writes to", "name a file, or write to the pipe")
    return b"".join(parts)


def text_of(content: bytes, *, marked: bool) -> str:
    """UTF-8; `marked`: also UTF-16 with a byte order mark, as YAML has it. Raises UnicodeDecodeError."""
    if marked and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")

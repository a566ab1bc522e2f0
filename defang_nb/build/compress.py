"""gzip, quickly: by ISA-L where it is to be had, beside a thread that reads.

Every builder reads gzip; zstd is smaller and as fast, but not all read it.
"""

from __future__ import annotations

import queue
import threading
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

_LEVEL = 1
_PIECE = 1024 * 1024
_WAITING = 4
"""So many pieces may wait to be compressed."""


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def compress(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The gzip file of `pieces`: without a name or time in it, so that the same input gives the same bytes.

    What `pieces` raises is raised here.
    """
    waiting: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING)
    given_up = threading.Event()

    def offer(item: bytes | BaseException | None) -> None:
        while not given_up.is_set():
            try:
                waiting.put(item, timeout=0.5)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for piece in _joined(pieces):
                offer(piece)
                if given_up.is_set():
                    return
            offer(None)
        except BaseException as error:  # noqa: BLE001  # edge: the thread's; raised where the pieces are used
            offer(error)

    reader = threading.Thread(target=read, name="context-reader", daemon=True)
    reader.start()
    compressor = _compressor()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield compressor.compress(item)
        yield compressor.flush()
    finally:
        given_up.set()
        reader.join()


def _compressor() -> _Compressor:
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    made: _Compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, 31)
    return made


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of a good size."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)

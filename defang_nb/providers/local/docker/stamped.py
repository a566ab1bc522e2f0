"""Lines of a container's log with the engine's times before them, and how far such a log was read.

Docker's times are of nanoseconds, Podman's of seconds: many lines may be of one time, so who reads on has to know how many of
them it has.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterator
from functools import lru_cache

import msgspec

NANO = 1_000_000_000
_TIME = rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))"
_STAMP, _STAMP_FIRST = re.compile(_TIME + rb"$"), re.compile(_TIME + rb" ")


class Line(msgspec.Struct, frozen=True):
    """`moment`: nanoseconds since 1970, exact to a second only where `whole`."""

    moment: int
    words: str
    whole: bool = False

    def after(self, since: float) -> bool:
        """Whether it was written then or later; when in doubt, yes."""
        return (self.moment + (NANO if self.whole else 0)) / NANO >= since


class Mark:
    """How far a log was read: the moment of the last line, and how many lines of that moment there were."""

    def __init__(self) -> None:
        self.moment = 0
        self.lines = 0

    def read(self, moment: int) -> None:
        self.lines = self.lines + 1 if moment == self.moment else 1
        self.moment = moment


class Stream:
    """A log's bytes as lines, whatever pieces they come in; without those that were read before, up to `mark`.

    The bytes begin no later than with the mark's moment. A carriage return begins a line's words anew, as a progress bar does.
    """

    def __init__(self, mark: Mark | None = None) -> None:
        self._rest = b""
        self._until, self._again = (mark.moment, mark.lines) if mark else (0, 0)

    def feed(self, data: bytes) -> Iterator[Line]:
        # A line that the engine got in pieces is sent in pieces, each with a time of its own.
        if self._rest and (piece := _STAMP_FIRST.match(data)):
            data = data[piece.end() :]
        *whole, self._rest = (self._rest + data).split(b"\n")
        for each in whole:
            yield from self._new(each)

    def end(self) -> Iterator[Line]:
        rest, self._rest = self._rest, b""
        yield from self._new(rest)

    def _new(self, text: bytes) -> Iterator[Line]:
        stamp, _, words = text.partition(b" ")
        found = _STAMP.match(stamp)
        if found is None:
            return
        line = Line(_moment(found), words.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace"), found[2] is None)
        if self._until:
            if line.moment < self._until:
                return
            if line.moment == self._until and self._again:
                self._again -= 1
                return
            self._until = 0  # from here on all is new, whatever the engine's clock does
        yield line


def _moment(found: re.Match[bytes]) -> int:
    whole = _second(found[1])
    if found[3]:
        offset = int(found[4]) * 3600 + int(found[5]) * 60
        whole += -offset if found[3] == b"+" else offset
    return whole * NANO + int((found[2] or b"").ljust(9, b"0"))


@lru_cache(64)
def _second(text: bytes) -> int:
    return calendar.timegm(time.strptime(text.decode(), "%Y-%m-%dT%H:%M:%S"))

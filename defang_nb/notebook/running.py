"""A command's output in a cell: as text, while it runs; of very much, the beginning and the end."""

from __future__ import annotations

import codecs
import sys
from collections import deque
from typing import TYPE_CHECKING

from defang_nb.errors import CommandFailedError
from defang_nb.render.words import clean, plural

if TYPE_CHECKING:
    from defang_nb.client.session import RunningCommand


def show_running(command: RunningCommand, name: str, most: int) -> None:
    """Raises `CommandFailedError` when it ends with another code than 0. An interrupt ends it, and passes through."""
    shown = _Shown(most)
    command.write(b"")  # a cell has nothing to type into
    try:
        for each in command.output():
            shown.add(each.data, error=each.error)
    finally:
        shown.end()
    if code := command.wait():
        raise CommandFailedError(f"{name} ended with exit code {code}")


class _Shown:
    """The first `most` lines at once, and of the others the last `most` at the end."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._last: deque[str] = deque(maxlen=most)
        self._dropped = 0
        self._rests = {False: "", True: ""}
        self._decoders = {error: codecs.getincrementaldecoder("utf-8")("replace") for error in (False, True)}

    def add(self, data: bytes, *, error: bool) -> None:
        *lines, self._rests[error] = (self._rests[error] + self._decoders[error].decode(data)).split("\n")
        now, later = lines[: self._left], lines[self._left :]
        self._left -= len(now)
        if now:
            (sys.stderr if error else sys.stdout).write("".join(f"{clean(line)}\n" for line in now))
        for line in later:
            self._dropped += len(self._last) == self._last.maxlen
            self._last.append(line)

    def end(self) -> None:
        for error, rest in self._rests.items():
            if rest:
                self._rests[error] = ""
                self.add(f"{rest}\n".encode(), error=error)
        if self._dropped:
            sys.stdout.write(f"… {plural(self._dropped, 'line')} dropped\n")
        sys.stdout.write("".join(f"{clean(line)}\n" for line in self._last))

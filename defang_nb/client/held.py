"""The events that a workspace holds in memory: all, but of a flood of log lines only the last ones."""

from __future__ import annotations

from defang_nb.model.events import BuildLine, Event, LogLine

LINES = 20_000
"""So many log lines at most, and after letting go half of that."""


class Held:
    """`complete`: nothing was let go yet. Written on one thread; `events` may be read on any."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.complete = True
        self._lines = 0

    def add(self, event: Event) -> None:
        self.events.append(event)
        self._lines += _lines(event)
        if self._lines > LINES:
            self._let_go()

    def _let_go(self) -> None:
        """Of the log lines all but the last; the rest of the story is short."""
        kept: list[Event] = []
        room = LINES // 2
        for event in reversed(self.events):
            room -= (count := _lines(event))
            if room >= 0 or not count:
                kept.append(event)
        self.events = kept[::-1]
        self.complete = False
        self._lines = sum(map(_lines, kept))


def _lines(event: Event) -> int:
    return 1 + len(event.payload.more) if isinstance(event.payload, BuildLine | LogLine) else 0

"""The events that are told and not yet stored. Where they come in floods, the lines of one log are put together into one."""

from __future__ import annotations

import msgspec

from defang_nb.model.events import BuildLine, Event, LogLine, Payload

FLOOD = 50
"""So many events wait, and lines are put together: until then each keeps the moment at which it came."""

FULL = 16_000
"""Characters of lines that one event holds at most, unless one line alone has more."""


class Pending:
    """In order. What `take` gave is not changed any more, and stays here until `drop`."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._taken = 0
        self._open: dict[str, tuple[int, int]] = {}
        """Of each log: where its last event is, and how many characters that has."""

    def __bool__(self) -> bool:
        return bool(self._events)

    @property
    def last(self) -> Event | None:
        return self._events[-1] if self._events else None

    @property
    def waiting(self) -> int:
        """How many are not taken."""
        return len(self._events) - self._taken

    def join(self, payload: Payload) -> bool:
        """Put a plain line to the last one of its log, if this is a flood and nothing but lines came since; whether it was."""
        key = _log(payload)
        if not key or not isinstance(payload, BuildLine | LogLine):
            self._open.clear()
            return False
        at, size = self._open.get(key, (0, FULL + 1))
        size += len(payload.line)
        first = self._events[at].payload if size <= FULL else None
        if self.waiting < FLOOD or not _plain(payload) or not isinstance(first, BuildLine | LogLine):
            self._open[key] = len(self._events), len(payload.line)
            return False
        self._open[key] = at, size
        joined = msgspec.structs.replace(first, more=(*first.more, payload.line, *payload.more))
        self._events[at] = msgspec.structs.replace(self._events[at], payload=joined)
        return True

    def add(self, event: Event) -> None:
        self._events.append(event)

    def take(self) -> list[Event]:
        self._open.clear()
        self._taken = len(self._events)
        return self._events[:]

    def drop(self) -> list[Event]:
        """Those that were taken, which are no longer here."""
        taken, self._events = self._events[: self._taken], self._events[self._taken :]
        self._open = {key: (at - self._taken, size) for key, (at, size) in self._open.items()}
        self._taken = 0
        return taken


def _log(payload: Payload) -> str:
    match payload:
        case BuildLine(urn=urn):
            return f"build {urn}"
        case LogLine(service=service):
            return f"service {service}"
        case _:
            return ""


def _plain(payload: BuildLine | LogLine) -> bool:
    return isinstance(payload, LogLine) or not (payload.step or payload.cached or payload.seconds)

"""How often something may be sent to the browser: the more it is, the longer until the next time."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """At most `rate` bytes a second."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._next = 0.0

    def left(self) -> float:
        """Seconds until something may be sent."""
        return max(0.0, self._next - self._clock())

    def spend(self, size: int, least: float = 0.0) -> None:
        """So many bytes are sent now, and nothing else within `least` seconds."""
        self._next = self._clock() + max(least, size / self._rate)

    def reset(self) -> None:
        """Something may be sent at once."""
        self._next = 0.0

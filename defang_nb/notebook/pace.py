"""How often something may be sent to the browser: the more it is, the longer until the next time."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """At most `rate` bytes a second; after a silence so many seconds' worth at once as `burst` says."""

    def __init__(self, rate: float, *, burst: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._next = 0.0

    def left(self) -> float:
        """Seconds until something may be sent."""
        return max(0.0, self._next - self._clock())

    def spend(self, size: int, least: float = 0.0) -> None:
        """So many bytes are sent now, which count for no less than `least` seconds."""
        self._next = max(self._next, self._clock() - self._burst) + max(least, size / self._rate)

    def reset(self) -> None:
        """Something may be sent at once."""
        self._next = 0.0

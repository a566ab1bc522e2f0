"""Draws what changes, at most so often, on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Painter:
    """Calls `paint` soon after each `poke`, no more often than every `pause` seconds, and once a second since time goes on.

    `paint` may give the seconds after which it wants to be called again.

    `end` has `paint_last` called as the last thing. Both are called on the painter's thread, one at a time: they may update
    displays and widgets, and must never print (a print from a thread lands in whatever cell runs then).
    """

    def __init__(self, paint: Callable[[], float | None], paint_last: Callable[[], None], *, pause: float) -> None:
        self._paint = paint
        self._paint_last = paint_last
        self._pause = pause
        self._news = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="defang-nb-view", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def poke(self) -> None:
        self._news.set()

    def end(self) -> None:
        self._ending.set()
        self._news.set()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def step(self) -> None:
        """For whoever waits meanwhile: there is nothing to do here."""

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                wanted = self._paint() or 1.0
                self._ending.wait(self._pause)
                self._news.wait(max(0.0, min(1.0, wanted) - self._pause))
                self._news.clear()
        finally:
            self._paint_last()


class CellPainter(Painter):
    """The same on the thread of the cell, which calls `step` again and again: for front ends that show nothing of threads."""

    def __init__(self, paint: Callable[[], float | None], paint_last: Callable[[], None], *, pause: float) -> None:
        super().__init__(paint, paint_last, pause=pause)
        self._next = -1.0

    def start(self) -> None:
        self.step()

    def step(self) -> None:
        now = time.monotonic()
        if now >= self._next + (0.0 if self._news.is_set() else 1.0):
            self._news.clear()
            self._paint()
            self._next = time.monotonic() + self._pause

    def join(self, timeout: float) -> None:
        """Paint for the last time."""
        self._paint_last()

"""Draws what changes, at most so often, on a thread of its own."""

from __future__ import annotations

import threading
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

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                wanted = self._paint() or 1.0
                self._ending.wait(self._pause)
                self._news.wait(max(0.0, min(1.0, wanted) - self._pause))
                self._news.clear()
        finally:
            self._paint_last()

"""What folds in a live view: titles that are buttons, so that keys reach them, and below the open one what it holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ipywidgets

from defang_nb.notebook.buttons import button, close_all
from defang_nb.notebook.pace import Pace
from defang_nb.notebook.place import place, put

RATE = 30_000
"""Bytes a second of what the open fold holds."""

TITLE_PAUSE = 0.5
"""Seconds between two titles that change: with many logs that grow, each is a message of its own."""

_FOLDED, _SHOWN = "folded: click to show it", "shown: click to fold it"
_OPEN = "shown"
"""The class of the title of what is open: the stylesheet draws its triangle, which so is no part of the button's name."""


class Fold(NamedTuple):
    """`made` gives its HTML; `wanted` marks what a reader wants to see first."""

    key: str
    title: str
    made: Callable[[], str]
    wanted: bool = False


class Folds:
    """One is open at a time, and only that one is sent to the browser. `paint` comes from one thread, clicks on any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.RLock()
        self._folds: dict[str, Fold] = {}
        self._buttons: dict[str, Any] = {}
        self._open = ""
        self._chosen = False
        self._bodies: dict[str, Any] = {}
        self._pace, self._title_pace = Pace(RATE, clock=clock), Pace(RATE, clock=clock)
        self._box = ipywidgets.VBox([], layout=ipywidgets.Layout(width="auto"))

    @property
    def widget(self) -> Any:
        return self._box

    def paint(self, folds: Sequence[Fold]) -> float:
        """Send what changed, as far as its pace allows; after so many seconds there may be more to send."""
        with self._lock:
            self._folds = {each.key: each for each in folds}
            for key, fold in self._folds.items():
                if key not in self._buttons:
                    self._buttons[key] = self._button(fold)
                    self._place()
            if not self._open and not self._chosen:
                self._show(next((each.key for each in folds if each.wanted), ""))
            return max(self._entitle(), self._send())

    def parts(self) -> tuple[Any, ...]:
        """Every widget of it, to be closed."""
        return *self._buttons.values(), *self._bodies.values(), self._box

    def _button(self, fold: Fold) -> Any:
        made = button(fold.title, _FOLDED, lambda: self._turn(fold.key), layout=ipywidgets.Layout(width="auto"))
        made.add_class("title")
        return made

    def _turn(self, key: str) -> None:
        """The reader opens it, or closes it again; what it holds now is sent at once."""
        with self._lock:
            self._chosen = True
            self._show("" if key == self._open else key)
            self._pace.reset()
            self._send()

    def _show(self, key: str) -> None:
        if key == self._open:
            return
        if self._open:
            self._buttons[self._open].remove_class(_OPEN).tooltip = _FOLDED
            put(self._bodies[self._open], "")
        if key:
            self._buttons[key].add_class(_OPEN).tooltip = _SHOWN
            if key not in self._bodies:
                self._bodies[key] = place()
                self._place()
        self._open = key

    def _place(self) -> None:
        """Each title has its body right below it once it was open, empty or not: a box whose children move draws them anew, and
        the title that was clicked would lose the focus."""
        pairs = ((title, self._bodies.get(key)) for key, title in self._buttons.items())
        self._box.children = tuple(each for pair in pairs for each in pair if each is not None)

    def _send(self) -> float:
        """Seconds that it has to wait still, or 0."""
        fold = self._folds.get(self._open)
        if fold is None:
            return 0.0
        if wait := self._pace.left():
            return wait
        if size := put(self._bodies[self._open], fold.made()):
            self._pace.spend(size)
        return 0.0

    def _entitle(self) -> float:
        """One title at a time, that of the open one first."""
        keys = sorted(self._folds, key=lambda each: each != self._open)
        late = [key for key in keys if self._buttons[key].description != self._folds[key].title]
        if not late:
            return 0.0
        if wait := self._title_pace.left():
            return wait
        self._buttons[late[0]].description = self._folds[late[0]].title
        self._title_pace.spend(0, TITLE_PAUSE)
        return TITLE_PAUSE if len(late) > 1 else 0.0

    def close(self) -> None:
        close_all(self.parts())

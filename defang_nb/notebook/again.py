"""The buttons for what can be done once a deployment is over: deploy it again, go back to the one before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from defang_nb.errors import DefangError
from defang_nb.notebook.buttons import button, refusal

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment


class Start(NamedTuple):
    """What its button is called, what that says when pointed at, and what it starts."""

    name: str
    tip: str
    start: Callable[[], Deployment]


class Again:
    """Out of sight until `offer`. `say` tells how it goes, `show` shows what was started; both are called on any thread."""

    def __init__(self, starts: list[Start], say: Callable[[str], None], show: Callable[[Deployment], None]) -> None:
        self._say = say
        self._show = show
        self._busy = threading.Lock()
        self.buttons = [self._button(each) for each in starts]

    def offer(self) -> None:
        for each in self.buttons:
            each.layout.display = None

    def _button(self, it: Start) -> Any:
        made = button(it.name, it.tip, lambda: self._begin(it))
        made.layout.display = "none"
        return made

    def _begin(self, it: Start) -> None:
        """One at a time, on a thread of its own: a click must not wait for what it starts."""
        if self._busy.acquire(blocking=False):
            self._say(f"{it.name}: starting …")
            threading.Thread(target=self._run, args=(it,), name="defang-nb-again", daemon=True).start()

    def _run(self, it: Start) -> None:
        self._disable(True)
        try:
            started = it.start()
        except DefangError as error:
            self._say(refusal(error))
            self._disable(False)
            self._busy.release()
            return
        self._show(started)

    def _disable(self, off: bool) -> None:
        for each in self.buttons:
            each.disabled = off

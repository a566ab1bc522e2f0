"""What can be done once a deployment is over: deploy it again, go back to the one before, search its logs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from defang_nb.errors import DefangError
from defang_nb.notebook.buttons import button, close_all, controls, flow, refusal, status
from defang_nb.notebook.search import LogSearch
from defang_nb.render.logs import panes

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment

Start = Callable[[], "Deployment"]


class Again:
    """`starts` are what the buttons are called, what they say when pointed at, and what they start; `show` shows that here."""

    def __init__(
        self, deployment: Deployment, starts: list[tuple[str, str, Start]], show: Callable[[Deployment], None]
    ) -> None:
        self._show = show
        self._busy = threading.Lock()
        self._buttons = [self._button(*each) for each in starts]
        self._said = ipywidgets.HTML()
        self._search = LogSearch(lambda: deployment.events)
        self._search.offer(bool(panes(deployment.view, 0.0)))
        self._row = flow(*self._buttons, self._search.field, self._said)
        self._box = controls([self._row, self._search.found])

    @property
    def widget(self) -> Any:
        return self._box

    def close(self) -> None:
        close_all((*self._buttons, self._said, *self._search.parts(), self._row, self._box))

    def _button(self, name: str, tip: str, start: Start) -> Any:
        return button(name, tip, lambda: self._begin(name, start))

    def _begin(self, name: str, start: Start) -> None:
        """One at a time, on a thread of its own: a click must not wait for what it starts."""
        if self._busy.acquire(blocking=False):
            self._say(f"{name}: starting …")
            threading.Thread(target=self._run, args=(start,), name="defang-nb-again", daemon=True).start()

    def _run(self, start: Start) -> None:
        self._disable(True)
        try:
            started = start()
        except DefangError as error:
            self._say(refusal(error))
            self._disable(False)
            self._busy.release()
            return
        self._show(started)

    def _say(self, text: str) -> None:
        self._said.value = status(text)

    def _disable(self, off: bool) -> None:
        for each in self._buttons:
            each.disabled = off

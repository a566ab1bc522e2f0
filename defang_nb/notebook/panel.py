"""The widget of a live view: buttons, and below them the deployment's card. Imported when it is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from defang_nb.errors import DefangError
from defang_nb.model.events import Event
from defang_nb.model.view import DeploymentView
from defang_nb.notebook.again import Again, Start
from defang_nb.notebook.buttons import button, close_all, controls, flow, refusal, status
from defang_nb.notebook.card import Card
from defang_nb.notebook.place import place, put
from defang_nb.notebook.search import LogSearch
from defang_nb.render.logs import panes
from defang_nb.render.markup import Link

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment


class Panel:
    """Only its `paint` is called from a painter's thread; button callbacks may come on any thread, more than once.

    `starts` are offered once it is over; `show` gets what one of them has started.
    """

    def __init__(
        self, link: Link, *, cancel: Callable[[], None], detach: Callable[[], None],
        events: Callable[[], Iterable[Event]] = tuple, starts: Iterable[Start] = (),
        show: Callable[[Deployment], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._cancelling = threading.Event()
        self._do_cancel = cancel
        self._card = Card(link, clock=clock)
        self._search = LogSearch(events)
        self._cancel = button("Cancel", "End this deployment; what is done so far stays", self._ask_cancel)
        self._detach = button("Detach", "Let the cell end; the deployment and this view go on", detach)
        self._again = Again([*starts], self._say, show)
        self._said = place()
        self._say("")
        self._row = flow(self._cancel, self._detach, *self._again.buttons, self._search.field, self._said)
        self._box = controls([self._row, self._search.found, self._card.widget])

    @property
    def widget(self) -> object:
        return self._box

    def paint(self, view: DeploymentView, now: float, left: float | None = None) -> float:
        """Send what changed, as far as its pace allows; after so many seconds there may be more to send."""
        self._search.offer(bool(panes(view)))
        return self._card.paint(view, now, left)

    def hide_detach(self) -> None:
        self._detach.layout.display = "none"

    def over(self, view: DeploymentView) -> None:
        """The card goes, since what stays of it stands beside it; the row stays where it is, with what can be done now."""
        self._box.children = (self._row, self._search.found)
        self._cancel.layout.display = "none"
        self.hide_detach()
        self._again.offer()
        self._search.offer(bool(panes(view)))
        self._say("")
        self._card.close()

    def _ask_cancel(self) -> None:
        if self._cancelling.is_set():
            return
        self._cancelling.set()
        self._say("")
        self._cancel.disabled = True
        self._cancel.description = "Cancelling …"
        threading.Thread(target=self._run_cancel, name="defang-nb-cancel", daemon=True).start()

    def _run_cancel(self) -> None:
        try:
            self._do_cancel()
        except DefangError as error:
            self._cancel.description = "Cancel"
            self._say(refusal(error))
            self._cancel.disabled = False
            self._cancelling.clear()

    def _say(self, text: str) -> None:
        put(self._said, status(text))

    def close(self) -> None:
        """Close every widget, with its layout and style, so that none is saved with the notebook."""
        self._card.close()
        row = (self._cancel, self._detach, *self._again.buttons, self._said, *self._search.parts())
        close_all((*row, self._row, self._box))

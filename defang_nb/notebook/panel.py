"""The widget of a live view: the view itself, logs that stay open when they were opened, and buttons. Imported when shown."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from defang_nb.errors import DefangError
from defang_nb.model.events import Event
from defang_nb.model.view import DeploymentView
from defang_nb.notebook.buttons import answer_while_the_cell_runs, close_all, controls
from defang_nb.notebook.pace import Pace
from defang_nb.notebook.search import LogSearch
from defang_nb.render.html import render_html
from defang_nb.render.logs import LogPane, log_pre, panes
from defang_nb.render.markup import Link, esc, fragment
from defang_nb.render.style import STYLE

TAIL = 80
"""Lines of each log that are shown live: a message to the browser stays small however much is written."""

HEAD_RATE, LOG_RATE = 600_000, 30_000
"""Bytes a second: of what stands above the logs (of 200 services it is 100 KB), and of the open log."""


class Panel:
    """Only its `paint` is called from a painter's thread; button callbacks may come on any thread, more than once."""

    def __init__(
        self, link: Link, *, cancel: Callable[[], None], detach: Callable[[], None],
        events: Callable[[], Iterable[Event]] = tuple, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._link = link
        self._cancelling = threading.Event()
        self._do_cancel = cancel
        wide = ipywidgets.Layout(width="auto")
        self._style = ipywidgets.HTML(STYLE, layout=ipywidgets.Layout(display="none"))
        self._head = ipywidgets.HTML(layout=wide)
        self._logs = ipywidgets.Accordion(layout=wide)
        self._logs.observe(lambda _: self._opened(), "selected_index")
        self._search = LogSearch(events)
        self._bodies: dict[str, Any] = {}
        self._panes: list[LogPane] = []
        self._lock = threading.RLock()
        self._head_pace, self._log_pace = Pace(HEAD_RATE, clock=clock), Pace(LOG_RATE, clock=clock)
        self._title_pace = Pace(LOG_RATE, least=1.0, clock=clock)
        self._cancel = ipywidgets.Button(description="Cancel", tooltip="End this deployment; what is done so far stays")
        self._detach = ipywidgets.Button(description="Detach", tooltip="Let the cell end; the deployment and this view go on")
        self._cancel.on_click(lambda _: self._ask_cancel())
        self._detach.on_click(lambda _: detach())
        for button in (self._cancel, self._detach):
            answer_while_the_cell_runs(button)
        self._said = ipywidgets.HTML()
        row = ipywidgets.HBox([self._cancel, self._detach, self._said], layout=ipywidgets.Layout(flex_flow="row wrap"))
        self._box = controls([self._style, self._head, row, self._logs, self._search.widget])

    @property
    def widget(self) -> object:
        return self._box

    def paint(self, view: DeploymentView, now: float, left: float | None = None) -> float:
        """Send what changed, as far as its pace allows; after so many seconds there may be more to send."""
        with self._lock:
            second = math.floor(now)
            shown = {pane.key: pane for pane in panes(view, second)}
            self._search.offer(bool(shown))

            def head() -> str:
                return render_html(view, now=second, link=self._link, live=True, left=left)

            for key in shown:
                if key not in self._bodies:
                    self._bodies[key] = ipywidgets.HTML(layout=ipywidgets.Layout(width="auto"))
            self._panes = [shown[key] for key in self._bodies if key in shown]
            if [*self._logs.children] != [*self._bodies.values()]:
                self._logs.children = tuple(self._bodies.values())
                self._open_first()
            return max(self._send(self._head, self._head_pace, head), self._entitle(), self._send_log())

    def _send(self, place: Any, pace: Pace, made: Callable[[], str]) -> float:
        """Seconds that it has to wait still, or 0."""
        if wait := pace.left():
            return wait
        value = made()
        if place.value != value:
            place.value = value
            pace.spend(len(value))
        return 0.0

    def _send_log(self) -> float:
        """Only the log that is open: the others nobody sees."""
        at = self._logs.selected_index
        if at is None or at >= len(self._panes):
            return 0.0
        pane = self._panes[at]
        label = f"{pane.title} {pane.note}"
        return self._send(self._bodies[pane.key], self._log_pace, lambda: fragment(log_pre(pane.log, label, tail=TAIL)))

    def _entitle(self) -> float:
        titles = tuple(f"{pane.title} {pane.note}" for pane in self._panes)
        if self._logs.titles == titles:
            return 0.0
        if wait := self._title_pace.left():
            return wait
        self._logs.titles = titles
        self._title_pace.spend(0)
        return 0.0

    def _opened(self) -> None:
        """The reader opened a log: what it holds now is sent at once."""
        with self._lock:
            self._log_pace.reset()
            self._send_log()

    def _open_first(self) -> None:
        """Open the log that is being written, unless the reader has opened one."""
        if self._logs.selected_index is None:
            self._logs.selected_index = next((index for index, pane in enumerate(self._panes) if pane.open), None)

    def hide_detach(self) -> None:
        self._detach.layout.display = "none"

    def _ask_cancel(self) -> None:
        if self._cancelling.is_set():
            return
        self._cancelling.set()
        self._said.value = ""
        self._cancel.disabled = True
        self._cancel.description = "Cancelling …"
        threading.Thread(target=self._run_cancel, name="defang-nb-cancel", daemon=True).start()

    def _run_cancel(self) -> None:
        try:
            self._do_cancel()
        except DefangError as error:
            self._cancel.description = "Cancel"
            self._said.value = f'<span role="status" aria-live="polite">✘ {esc(error.message)}</span>'
            self._cancel.disabled = False
            self._cancelling.clear()

    def close(self) -> None:
        """Close every widget, with its layout and style, so that none is saved with the notebook."""
        row = self._box.children[2]
        searched = self._search.parts()
        close_all(
            (
                *self._bodies.values(),
                self._style,
                self._head,
                self._logs,
                self._cancel,
                self._detach,
                self._said,
                *searched,
                row,
                self._box,
            )
        )

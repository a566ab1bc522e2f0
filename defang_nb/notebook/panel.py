"""The widget of a live view: the view itself, logs that stay open when they were opened, and buttons. Imported when shown."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from defang_nb.errors import DefangError
from defang_nb.model.events import Event
from defang_nb.model.view import DeploymentView
from defang_nb.notebook.buttons import answer_while_the_cell_runs, close_all
from defang_nb.notebook.search import LogSearch
from defang_nb.render.html import render_html
from defang_nb.render.logs import LogPane, log_pre, panes
from defang_nb.render.markup import Link, fragment

TAIL = 80
"""Lines of each log that are shown live: a message to the browser stays small however much is written."""


class Panel:
    """Only its `paint` is called from a painter's thread; button callbacks may come on any thread, more than once."""

    def __init__(
        self, link: Link, *, cancel: Callable[[], None], detach: Callable[[], None],
        events: Callable[[], Iterable[Event]] = tuple,
    ) -> None:  # fmt: skip
        self._link = link
        self._cancelling = threading.Event()
        self._do_cancel = cancel
        wide = ipywidgets.Layout(width="auto")
        self._head = ipywidgets.HTML(layout=wide)
        self._logs = ipywidgets.Accordion(layout=wide)
        self._search = LogSearch(events)
        self._bodies: dict[str, Any] = {}
        self._cancel = ipywidgets.Button(description="Cancel", tooltip="End this deployment; what is done so far stays")
        self._detach = ipywidgets.Button(description="Detach", tooltip="Let the cell end; the deployment and this view go on")
        self._cancel.on_click(lambda _: self._ask_cancel())
        self._detach.on_click(lambda _: detach())
        for button in (self._cancel, self._detach):
            answer_while_the_cell_runs(button)
        row = ipywidgets.HBox([self._cancel, self._detach])
        self._box = ipywidgets.VBox([self._head, row, self._logs, self._search.widget], layout=wide)

    @property
    def widget(self) -> object:
        return self._box

    def paint(self, view: DeploymentView, now: float, left: float | None = None) -> None:
        self._head.value = render_html(view, now=now, link=self._link, logs=False, left=left)
        shown = panes(view, now)
        for pane in shown:
            self._paint_log(pane)
        if [*self._logs.children] != [*self._bodies.values()]:
            self._logs.children = tuple(self._bodies.values())
            self._open_first(shown)
        for index, pane in enumerate(shown):
            title = f"{pane.title} {pane.note}"
            if self._logs.get_title(index) != title:
                self._logs.set_title(index, title)

    def _paint_log(self, pane: LogPane) -> None:
        value = fragment(log_pre(pane.log, f"{pane.title} {pane.note}", tail=TAIL))
        if pane.key not in self._bodies:
            self._bodies[pane.key] = ipywidgets.HTML(layout=ipywidgets.Layout(width="auto"))
        if self._bodies[pane.key].value != value:
            self._bodies[pane.key].value = value

    def _open_first(self, shown: list[LogPane]) -> None:
        """Open the log that is being written, unless the reader has opened one."""
        if self._logs.selected_index is None:
            self._logs.selected_index = next((index for index, pane in enumerate(shown) if pane.open), None)

    def hide_detach(self) -> None:
        self._detach.layout.display = "none"

    def _ask_cancel(self) -> None:
        if self._cancelling.is_set():
            return
        self._cancelling.set()
        self._cancel.disabled = True
        self._cancel.description = "Cancelling …"
        threading.Thread(target=self._run_cancel, name="defang-nb-cancel", daemon=True).start()

    def _run_cancel(self) -> None:
        try:
            self._do_cancel()
        except DefangError as error:
            self._cancel.description = "Cancel"
            self._cancel.tooltip = str(error)
            self._cancel.disabled = False
            self._cancelling.clear()

    def close(self) -> None:
        """Close every widget, with its layout and style, so that none is saved with the notebook."""
        row = self._box.children[1]
        searched = self._search.parts()
        close_all((*self._bodies.values(), self._head, self._logs, self._cancel, self._detach, *searched, row, self._box))

"""The widget of a live view: buttons, the view itself, and what folds below it: plan and logs. Imported when shown."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable

import ipywidgets

from defang_nb.errors import DefangError
from defang_nb.model.events import Event
from defang_nb.model.view import DeploymentView
from defang_nb.notebook.buttons import button, close_all, controls, flow, refusal, status
from defang_nb.notebook.folds import Fold, Folds
from defang_nb.notebook.pace import Pace
from defang_nb.notebook.search import LogSearch
from defang_nb.render.html import render_html
from defang_nb.render.logs import LogPane, log_pre, panes
from defang_nb.render.markup import Link, fragment
from defang_nb.render.plan import plan_body
from defang_nb.render.style import STYLE
from defang_nb.render.words import only_plans, plan_counts

TAIL = 80
"""Lines of each log that are shown live: a message to the browser stays small however much is written."""

HEAD_RATE = 600_000
"""Bytes a second of what stands above the logs (of 200 services it is 100 KB)."""


class Panel:
    """Only its `paint` is called from a painter's thread; button callbacks may come on any thread, more than once."""

    def __init__(
        self, link: Link, *, cancel: Callable[[], None], detach: Callable[[], None],
        events: Callable[[], Iterable[Event]] = tuple, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._link = link
        self._cancelling = threading.Event()
        self._do_cancel = cancel
        self._style = ipywidgets.HTML(STYLE, layout=ipywidgets.Layout(display="none"))
        self._head = ipywidgets.HTML(layout=ipywidgets.Layout(width="auto"))
        self._folds = Folds(clock)
        self._search = LogSearch(events)
        self._head_pace = Pace(HEAD_RATE, clock=clock)
        self._cancel = button("Cancel", "End this deployment; what is done so far stays", self._ask_cancel)
        self._detach = button("Detach", "Let the cell end; the deployment and this view go on", detach)
        self._said = ipywidgets.HTML()
        self._row = flow(self._cancel, self._detach, self._search.field, self._said)
        self._box = controls([self._style, self._row, self._search.found, self._head, self._folds.widget])

    @property
    def widget(self) -> object:
        return self._box

    def paint(self, view: DeploymentView, now: float, left: float | None = None) -> float:
        """Send what changed, as far as its pace allows; after so many seconds there may be more to send."""
        second = math.floor(now)
        logs = panes(view, second)
        self._search.offer(bool(logs))
        folds = [_plan_fold(view), *map(_log_fold, logs)]
        return max(self._send_head(view, second, left), self._folds.paint([each for each in folds if each]))

    def _send_head(self, view: DeploymentView, now: float, left: float | None) -> float:
        """Seconds that it has to wait still, or 0."""
        if wait := self._head_pace.left():
            return wait
        value = render_html(view, now=now, link=self._link, live=True, left=left)
        if self._head.value != value:
            self._head.value = value
            self._head_pace.spend(len(value))
        return 0.0

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
            self._said.value = status(refusal(error))
            self._cancel.disabled = False
            self._cancelling.clear()

    def close(self) -> None:
        """Close every widget, with its layout and style, so that none is saved with the notebook."""
        self._folds.close()
        inner = (self._style, self._head, self._cancel, self._detach, self._said, *self._search.parts())
        close_all((*inner, self._row, self._box))


def _plan_fold(view: DeploymentView) -> Fold | None:
    """None where the view itself shows the plan."""
    plan, kind = view.plan, view.kind
    if plan is None or only_plans(view):
        return None
    return Fold("plan", f"plan {plan_counts(plan)}", lambda: fragment(plan_body(plan, kind)))


def _log_fold(pane: LogPane) -> Fold:
    title = f"{pane.title} {pane.note}"
    return Fold(pane.key, title, lambda: fragment(log_pre(pane.log, title, tail=TAIL)), wanted=pane.open)

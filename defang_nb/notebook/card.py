"""A deployment's card as it goes on: what changes apart stands in a widget of its own, so that only what changed is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import ipywidgets

from defang_nb.model.view import DeploymentView
from defang_nb.notebook.buttons import close_all
from defang_nb.notebook.folds import Fold, Folds
from defang_nb.notebook.pace import Pace
from defang_nb.notebook.place import place, put
from defang_nb.render.html import Head, Parts, parts
from defang_nb.render.logs import LogPane, log_pre, panes
from defang_nb.render.markup import Link
from defang_nb.render.plan import plan_body
from defang_nb.render.style import CLASS, STYLE
from defang_nb.render.words import only_plans, plan_counts

TAIL = 80
"""Lines of each log that are shown live: a message to the browser stays small however much is written."""

RATE = 600_000
"""Bytes a second of what stands above the logs (of 200 services it is 100 KB)."""

EACH = 0.125
"""Seconds that each of its messages counts for: eight a second. Services, timeline and progress often change together."""

BURST = 1.0
"""Seconds' worth of messages that are sent at once after a silence, so that what happens now and then is seen as it happens."""


class Card:
    """`paint` is called from one thread. Its widget closes with `close`; what folds answers clicks on any thread."""

    def __init__(self, link: Link, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._pace = Pace(RATE, burst=BURST, clock=clock)
        self._told: object = None
        self._shown = 0.0
        self._folds = Folds(clock)
        self._style = ipywidgets.HTML(STYLE, layout=ipywidgets.Layout(display="none"))
        self._places = Parts(Head(*(place() for _ in Head._fields)), *(place() for _ in Parts._fields[1:]))
        self._head, self._grid = _box("head", self._places.head), _box("grid", (self._places.services, self._places.course))
        it = self._places
        self._box = _box(CLASS, (self._style, self._head, it.bar, it.errors, self._grid, it.remarks, self._folds.widget))

    @property
    def widget(self) -> Any:
        return self._box

    def paint(self, view: DeploymentView, now: float, left: float | None = None) -> float:
        """Send what changed, as far as its pace allows; after so many seconds there may be more to send."""
        folds = [_plan_fold(view), *map(_log_fold, panes(view))]
        return max(self._send(view, self._moment(view, now), left), self._folds.paint([each for each in folds if each]))

    def _moment(self, view: DeploymentView, now: float) -> float:
        """The time that is shown. It goes on by the second, and at once where a step began or ended: no bar is ahead."""
        told = math.floor(now - view.started), view.steps
        if told != self._told:
            self._told, self._shown = told, now
        return self._shown

    def _send(self, view: DeploymentView, now: float, left: float | None) -> float:
        """Seconds that it has to wait still, or 0."""
        if wait := self._pace.left():
            return wait
        it = parts(view, now=now, link=self._link, left=left)
        sizes = [size for there, html in zip(_leaves(self._places), _leaves(it), strict=True) if (size := put(there, html))]
        if sizes:
            self._pace.spend(sum(sizes), EACH * len(sizes))
        return 0.0

    def close(self) -> None:
        """Close every widget, with its layout and style, so that none is saved with the notebook."""
        self._folds.close()
        close_all((self._style, *_leaves(self._places), self._head, self._grid, self._box))


def _box(css: str, children: Any) -> Any:
    box = ipywidgets.Box([*children], layout=ipywidgets.Layout())
    box.add_class(css)
    return box


def _leaves(it: Parts) -> tuple[Any, ...]:
    return *it.head, *it[1:]


def _plan_fold(view: DeploymentView) -> Fold | None:
    """None where the view itself shows the plan."""
    plan, kind = view.plan, view.kind
    if plan is None or only_plans(view):
        return None
    return Fold("plan", f"plan {plan_counts(plan)}", lambda: plan_body(plan, kind))


def _log_fold(pane: LogPane) -> Fold:
    title = f"{pane.title} {pane.note}"
    return Fold(pane.key, title, lambda: log_pre(pane.log, pane.label, tail=TAIL), wanted=pane.open)

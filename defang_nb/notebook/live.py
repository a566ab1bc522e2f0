"""A deployment's live view in a notebook: a widget while it goes on, beside it a static display that is what stays.

Saved notebooks lose widgets, so the static display carries the final state; the widget is closed and its place emptied.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from defang_nb.model.events import Kind
from defang_nb.notebook import frontend
from defang_nb.notebook.painter import CellPainter, Painter
from defang_nb.notebook.slot import Slot
from defang_nb.render.html import render_html
from defang_nb.render.markup import Link, card, esc
from defang_nb.render.text import headline, render_text

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment
    from defang_nb.model.view import DeploymentView
    from defang_nb.notebook.panel import Panel

WIDGET_PAUSE = 0.12
"""Seconds between two updates of a widget."""

STATIC_PAUSE = 1.0
"""Seconds between two replacements of a static output, which flickers in some front ends."""

Bundle = dict[str, str]


def bundle(view: DeploymentView, link: Link, now: float, left: float | None = None) -> Bundle:
    """The view as a front end may show it, with or without HTML."""
    return {
        "text/html": render_html(view, now=now, link=link, left=left),
        "text/plain": render_text(view, now=now, link=link, left=left),
    }


def brief(view: DeploymentView) -> Bundle:
    """One line, which a notebook keeps that is saved in the middle. (One that has not begun can't be attached to.)"""
    said = f"{headline(view)} · %defang attach {view.id} shows it" if view.sequence else headline(view)
    return {"text/html": card(f'<div class="body mute brief">{esc(said)}</div>', "Deployment"), "text/plain": said}


class LiveView:
    """Shows `deployment` in the cell that makes it, and goes on showing it when the cell has ended."""

    def __init__(
        self, deployment: Deployment, link: Link, *, widgets: bool, clock: Callable[[], float] = time.time,
        slots: tuple[Slot, Slot] | None = None,
    ) -> None:  # fmt: skip
        """`slots` are those of a view whose place it takes (of the widget, of the static display)."""
        self._deployment = deployment
        self._link = link
        self._clock = clock
        self._turned = threading.Event()
        self._detached = False
        self._panel: Panel | None = self._make_panel() if widgets else None
        self._panel_slot, self._static = slots or (Slot(), Slot())
        self._late = self._panel is not None and slots is None and frontend.forgets_displays()
        """Whether only the end is shown beside the widget, in places of its own."""
        if self._panel:
            (self._panel_slot.change if slots else self._panel_slot.show)(self._panel.widget)
        self._told: object = None
        if not self._late:
            self._show_static(first=slots is None)
        pause = WIDGET_PAUSE if self._panel else STATIC_PAUSE
        self._painter = (Painter if frontend.repaints_by_threads() else CellPainter)(self._paint, self._paint_last, pause=pause)
        self._painter.start()
        deployment.subscribe(self._hear)

    def wait(self, *, detach: bool) -> bool:
        """Until it is over, the user detaches, or (to `detach`) it goes on by itself. Whether it is over. Interruptible."""
        while not (self._deployment.done or self._detached or (detach and self._deployment.accepted)):
            self._turned.wait(0.5)
            self._turned.clear()
            self._painter.step()
        if self._deployment.done:
            self._painter.end()
            self._painter.join(5.0)
        return self._deployment.done

    def detached(self) -> None:
        """The cell waits no more; the view goes on."""
        if self._panel:
            self._panel.hide_detach()
        elif not (frontend.repaints_by_threads() or self._deployment.done):
            self._static.replace(brief(self._deployment.view))

    def _make_panel(self) -> Panel:
        from defang_nb.notebook.again import Start
        from defang_nb.notebook.panel import Panel

        it = self._deployment
        starts = [
            Start("Redeploy", "Deploy this deployment's project and images again", it.start_again),
            Start("Rollback", "Deploy the latest that went well and was another", it.start_rollback),
        ]
        return Panel(self._link, cancel=it.cancel, detach=self._detach, events=it.story, starts=starts, show=self._give_place)

    def _detach(self) -> None:
        self._detached = True
        self._turned.set()

    def _hear(self, view: DeploymentView, event: object) -> None:
        self._painter.poke()
        self._turned.set()
        if view.done:
            self._painter.end()

    def _paint(self) -> float | None:
        now = self._clock()
        wanted = self._panel.paint(self._deployment.view, now, self._deployment.left(now)) if self._panel else None
        if not self._late:
            self._show_static()
        return wanted

    def _show_static(self, *, first: bool = False) -> None:
        view, now = self._deployment.view, self._clock()
        if self._panel:
            changed = view.stage, view.detail, view.sequence > 0
            if not first and changed == self._told:
                return
            self._told = changed
        shown = brief(view) if self._panel else bundle(view, self._link, now, self._deployment.left(now))
        (self._static.show_bundle if first else self._static.replace)(shown)

    def _paint_last(self) -> None:
        """What stays comes first: whoever saves the notebook at this moment keeps it."""
        end = bundle(self._deployment.view, self._link, self._clock())
        (self._static.show_bundle if self._late else self._static.replace)(end)
        if self._panel and self._repeatable:
            self._panel.over(self._deployment.view)
        elif self._panel:
            self._clear()

    @property
    def _repeatable(self) -> bool:
        """A preview, or one that never began, is nothing to deploy again."""
        return self._deployment.view.kind is Kind.UP and self._deployment.view.sequence > 0

    def _clear(self) -> None:
        """Nothing of the widget stays."""
        if self._panel:
            self._panel_slot.replace({"text/plain": ""})
            self._panel.close()

    def _give_place(self, started: Deployment) -> None:
        """To what was started from here."""
        self._clear()
        if self._late:
            self._panel_slot = self._panel_slot.again()
            self._panel_slot.show_bundle({"text/plain": ""})
        slots = self._panel_slot, self._static
        LiveView(started, self._link, widgets=True, clock=self._clock, slots=slots).detached()

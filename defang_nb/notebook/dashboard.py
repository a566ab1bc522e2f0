"""`Dashboard`: all stacks in a cell, as a notebook keeps it, renewed while it is open; above it the buttons, a widget."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from defang_nb.client.links import through_hub
from defang_nb.client.overview import overview
from defang_nb.errors import DefangError
from defang_nb.notebook import frontend
from defang_nb.notebook.slot import Slot
from defang_nb.render.markup import Link
from defang_nb.render.overview import overview_html, overview_text, remember
from defang_nb.render.usage import History

if TYPE_CHECKING:
    from defang_nb.model.overview import Overview

PAUSE = 3.0
"""Seconds between two looks at the stacks."""

Look = Callable[[], "Overview"]


class Dashboard:
    """Of all stacks that can be named from here, or of one of them, or of one project.

    Shown as a cell's value (or by `%defang dashboard`), it looks again every few seconds until `close`; `.overview` is what it
    saw last. Raises what `client.overview.overview` does.
    """

    def __init__(
        self, stack: str | None = None, *, project: str | None = None, look: Look | None = None, link: Link | None = None,
        widgets: bool = True,
    ) -> None:  # fmt: skip
        self._look: Look = look or (lambda: overview(stack, project=project))
        self._link: Link = link or through_hub
        self._widgets = widgets and frontend.kernel() is not None and frontend.widgets()
        self._echoed = False
        self._closed = threading.Event()
        self._wanted = threading.Event()
        self._static = Slot()
        self._board: Any = None
        self._past: dict[tuple[str, str], History] = {}
        self.overview = self._look()

    def __repr__(self) -> str:
        return overview_text(self.overview, link=self._link)

    def _repr_html_(self) -> str:
        return overview_html(self.overview, link=self._link, past=self._past)

    def bundle(self) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        """As a cell's value, unless the magic that made it has just shown it."""
        if not self._echoed:
            self.show(live=True)
        self._echoed = False

    def shown(self) -> Dashboard:
        """Show it; as the value of the cell that asked for it, it is not shown twice."""
        self.show(live=True)
        self._echoed = True
        return self

    def show(self, *, live: bool) -> None:
        """Show it here. Without `live` (or without widgets) once, as it is now."""
        if live and self._widgets and self._board is None:
            from defang_nb.notebook.board import Board

            self._board = Board(self._link, renew=self._wanted.set)
            self._board.show()
            threading.Thread(target=self._renew, name="defang-nb-dashboard", daemon=True).start()
        self._static.show_bundle(self.bundle())

    def refresh(self) -> None:
        """Look again now, and show it where it stands."""
        self.overview = self._look()
        remember(self._past, self.overview)
        if self._board is not None:
            self._board.paint(self.overview)
        self._static.replace(self.bundle())

    def close(self) -> None:
        """Look no more; what was seen last stays."""
        self._closed.set()
        self._wanted.set()

    def _renew(self) -> None:
        """The thread's. What can't be read now may be later: it is said, and looked for again."""
        while not self._closed.is_set():
            try:
                self.refresh()
                self._board.trouble("")
            except DefangError as error:
                self._board.trouble(str(error))
            self._wanted.wait(PAUSE)
            self._wanted.clear()
        self._board.close()

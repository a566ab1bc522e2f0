"""A place in a cell's output that can be replaced later, from any thread, also when the cell has ended."""

from __future__ import annotations

import contextvars
import uuid
from typing import Any

from IPython import display as ipython_display

_display: Any = ipython_display.display


class Slot:
    """It speaks for the cell in which it was made, whoever changes it: VS Code drops what a click seems to show elsewhere."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._cell = contextvars.copy_context()

    def again(self) -> Slot:
        """A new place at the end of the same cell."""
        other = Slot()
        other._cell = self._cell
        return other

    def show(self, widget: Any) -> None:
        """Show a widget here."""
        self._publish(_only_widget(widget))

    def show_bundle(self, bundle: dict[str, str]) -> None:
        """Show what `bundle` (media type → text) holds here."""
        self._publish(bundle)

    def change(self, widget: Any) -> None:
        """Show another widget here. What stood here goes first: a front end would hide the place of one that is closed."""
        self.replace({"text/plain": ""})
        self._publish(_only_widget(widget), update=True)

    def replace(self, bundle: dict[str, str]) -> None:
        self._publish(bundle, update=True)

    def _publish(self, bundle: dict[str, Any], *, update: bool = False) -> None:
        # A copy each time: a context can't be entered by two threads at once.
        self._cell.copy().run(_display, bundle, raw=True, display_id=self._id, update=update)


def _only_widget(widget: Any) -> dict[str, Any]:
    """Without the text that would stand for it where there are no widgets: what is shown beside it says all."""
    return {**widget._repr_mimebundle_(), "text/plain": ""}


def show(bundle: dict[str, str]) -> None:
    """Show what is never replaced."""
    _display(bundle, raw=True)

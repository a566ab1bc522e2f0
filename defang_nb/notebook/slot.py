"""A place in a cell's output that can be replaced later, from any thread, also when the cell has ended."""

from __future__ import annotations

import uuid
from typing import Any

from IPython import display as ipython_display

_display: Any = ipython_display.display


class Slot:
    def __init__(self) -> None:
        self._id = uuid.uuid4().hex

    def show(self, widget: Any) -> None:
        """Show a widget here."""
        _display(_only_widget(widget), raw=True, display_id=self._id)

    def show_bundle(self, bundle: dict[str, str]) -> None:
        """Show what `bundle` (media type → text) holds here."""
        _display(bundle, raw=True, display_id=self._id)

    def change(self, widget: Any) -> None:
        """Show another widget here. What stood here goes first: a front end would hide the place of one that is closed."""
        self.replace({"text/plain": ""})
        _display(_only_widget(widget), raw=True, display_id=self._id, update=True)

    def replace(self, bundle: dict[str, str]) -> None:
        _display(bundle, raw=True, display_id=self._id, update=True)


def _only_widget(widget: Any) -> dict[str, Any]:
    """Without the text that would stand for it where there are no widgets: what is shown beside it says all."""
    return {**widget._repr_mimebundle_(), "text/plain": ""}


def show(bundle: dict[str, str]) -> None:
    """Show what is never replaced."""
    _display(bundle, raw=True)

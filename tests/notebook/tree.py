"""What a widget holds, as tests look for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets


def every(widget: Any) -> Iterator[Any]:
    """It and all that it holds, in the order of the page."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every(child)


def html(widget: Any) -> str:
    """All HTML that it shows."""
    return "".join(each.value for each in every(widget) if isinstance(each, ipywidgets.HTML))


def clickable(widget: Any, name: str) -> Any:
    """The button whose name begins so."""
    buttons = (each for each in every(widget) if isinstance(each, ipywidgets.Button))
    return next(each for each in buttons if each.description.startswith(name))

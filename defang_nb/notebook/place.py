"""A place for HTML that changes while it is read."""

from __future__ import annotations

from typing import Any

import ipywidgets


def place() -> Any:
    return ipywidgets.HTML(layout=ipywidgets.Layout(width="auto"))


def put(there: Any, html: str) -> int:
    """Show `html` in a place, if it shows something else. The characters that are sent.

    A front end draws all of a widget's HTML anew. Where our extension is there, the element tells it to change only what
    differs (`labextension/static/merge.js`), so that focus, selection, scroll positions and folds stay; elsewhere it is none.
    """
    value = f"<defang-live>{html}</defang-live>" if html else ""
    if there.value == value:
        return 0
    there.value = value
    return len(value)

"""What the front end can do, as far as a kernel can know: show widgets, and show what threads change."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata
from typing import Any

OLDEST = 8
"""The first version of ipywidgets whose widgets the views are made of."""


def kernel() -> Any:
    """The kernel whose front end shows what is displayed, or None: in a terminal nothing can be changed later, or clicked."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None)


def in_colab() -> bool:
    return "google.colab" in sys.modules


def repaints_by_threads() -> bool:
    """Whether what a thread changes is shown before the cell ends. Colab waits with it, so there cells paint by themselves."""
    return not in_colab()


def forgets_displays() -> bool:
    """Whether what changes a display soon after it was shown may be lost: in VS Code, whose note that the cell's old output was
    cleared comes late, and has it forget where a display of the new one stands. It names each cell with a scheme of its own."""
    it = kernel()
    cell = it.get_parent().get("metadata", {}).get("cellId") if it else None
    return str(cell).startswith("vscode-")


def widgets() -> bool:
    """Whether live views can be widgets."""
    return repaints_by_threads() and not missing_widgets()


@cache
def missing_widgets() -> str:
    """Why there are none, in words; "" where there are."""
    try:
        version = metadata.version("ipywidgets")
    except metadata.PackageNotFoundError:
        return f"live views with buttons need ipywidgets {OLDEST}; this one is text and HTML"
    major = version.partition(".")[0]
    if major.isdigit() and int(major) < OLDEST:
        return f"ipywidgets {version} is too old for live views with buttons (they need {OLDEST}); this one is text and HTML"
    return ""

"""What the front end can do, as far as a kernel can know: show widgets, and show what threads change."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata

OLDEST = 8
"""The first version of ipywidgets whose widgets the views are made of."""


def repaints_by_threads() -> bool:
    """Whether what a thread changes is shown before the cell ends. Colab waits with it, so there cells paint by themselves."""
    return "google.colab" not in sys.modules


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

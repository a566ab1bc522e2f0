"""What every widget with buttons needs: clicks that are heard while a cell runs, and an end that leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from defang_nb.errors import DefangError
from defang_nb.notebook.subshell import answer_while_a_cell_runs
from defang_nb.render.markup import esc

CONTROLS = "defang-nb-controls"
"""The class of a box of controls; the stylesheet says what becomes of them when their kernel is gone."""


def controls(children: Iterable[Any]) -> Any:
    """A box of what can be clicked, one below the other."""
    box = ipywidgets.VBox([*children], layout=ipywidgets.Layout(width="auto"))
    box.add_class(CONTROLS)
    return box


def flow(*children: Any) -> Any:
    """A row that goes on in the next line where there is no room. Its layout is its own, so that it can be hidden alone."""
    return ipywidgets.HBox(children, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="2px 6px"))


def button(name: str, tip: str, do: Callable[[], None], **look: Any) -> Any:
    """One that calls `do` (on any thread, and maybe while a cell runs)."""
    made = answer_while_a_cell_runs(ipywidgets.Button(description=name, tooltip=tip, **look))
    made.on_click(lambda _: do())
    return made


def status(text: str) -> str:
    """`text` as HTML that screen readers read out."""
    return f'<span role="status" aria-live="polite">{esc(text)}</span>'


def refusal(error: DefangError) -> str:
    """An error in one line, beside the button that it came of."""
    return f"✘ {error.message}{f' · {error.hint}' if error.hint else ''}"


def close_all(widgets: Iterable[Any]) -> None:
    """Close them, with their layouts and styles, so that none is saved with the notebook."""
    for widget in widgets:
        for part in (widget.layout, getattr(widget, "style", None), widget):
            if part is not None:
                part.close()

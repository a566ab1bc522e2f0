"""What a cell shows in each state of a deployment, in three forms: plain text, HTML, widget. `make goldens` keeps it anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest

from defang_nb.notebook.live import LiveView, brief, bundle
from defang_nb.notebook.panel import Panel
from defang_nb.notebook.slot import Slot
from tests.notebook.replay import Replay, deployment
from tests.render.goldens import FOLDER, held, markup, words
from tests.render.states import NO_CREDENTIALS, STATES, State

NOTHING = chr(0x200B)
"""What ipywidgets gives a field as its placeholder that has none."""


class Kept(Slot):
    """A place whose content can be looked at."""

    widget: Any = None
    bundle: Any = None

    def change(self, widget: Any) -> None:
        self.widget = widget

    def replace(self, bundle: dict[str, str]) -> None:
        self.widget, self.bundle = None, bundle


@pytest.mark.parametrize("name", STATES)
def test_plain_text(name: str) -> None:
    held(f"{name}.txt", _bundle(STATES[name])["text/plain"])


@pytest.mark.parametrize("name", STATES)
def test_html(name: str) -> None:
    held(f"{name}.html", markup(_bundle(STATES[name])["text/html"]))


def _bundle(it: State) -> dict[str, str]:
    return bundle(it.view, str, it.now, it.left)


@pytest.mark.parametrize("name", STATES)
def test_widget(name: str) -> None:
    """With the text that stands beside it, which is what a notebook keeps that is saved then."""
    it = STATES[name]
    shown = _over(it) if it.view.done else _going_on(it)
    held(f"{name}.widget", "\n".join(shown))


def test_no_golden_is_of_a_state_that_there_is_no_more() -> None:
    assert {each.stem for each in FOLDER.iterdir()} == set(STATES)


def _going_on(it: State) -> list[str]:
    panel = Panel(str, cancel=lambda: None, detach=lambda: None)
    panel.paint(it.view, it.now, it.left)
    if it.detached:
        panel.hide_detach()
    shown = [*_tree(panel.widget), "beside it:", brief(it.view)["text/plain"]]
    panel.close()
    return shown


def _over(it: State) -> list[str]:
    """What the live view leaves behind: its widget is gone, and what can be done now has its place."""
    place, beside = Kept(), Kept()
    dep = deployment(Replay(it.events), start=None if it.begun else _refuse)
    assert LiveView(dep, str, widgets=True, clock=lambda: it.now, slots=(place, beside)).wait(detach=False)
    static = bundle(it.view, str, it.now)
    assert beside.bundle["text/plain"] == static["text/plain"]
    return [
        *(_tree(place.widget) if place.widget else ["no widget"]),
        "beside it:",
        static["text/plain"].partition("\n")[0],
        "…",
    ]


async def _refuse(say: object) -> None:
    raise NO_CREDENTIALS


def _tree(widget: Any, depth: int = 0) -> Iterator[str]:
    """A widget and what it holds, a line each, as a reader meets them; without places in which there is nothing."""
    if isinstance(widget, ipywidgets.HTML) and not words(widget.value):
        return
    pad = "  " * depth
    said = [type(widget).__name__]
    known = {name: getattr(widget, name, None) for name in ("description", "placeholder", "tooltip")}
    said += [f"{name} {text!r}" for name, text in known.items() if text and text != NOTHING]
    said += ["disabled"] if getattr(widget, "disabled", False) else []
    said += ["hidden"] if widget.layout.display == "none" else []
    yield f"{pad}{' · '.join(said)}"
    if isinstance(widget, ipywidgets.HTML):
        yield from (f"{pad}  {line}" for line in words(widget.value))
    for child in getattr(widget, "children", ()):
        yield from _tree(child, depth + 1)

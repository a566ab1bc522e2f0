"""A field that finds lines in all that a deployment's builds and services wrote, also those that a log shows no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from defang_nb.model.events import BuildLine, Event, LogLine
from defang_nb.render.logs import found_lines
from defang_nb.render.markup import card

MOST = 100
"""Lines that are shown of those found: the last ones."""


class LogSearch:
    """`events` gives the story so far."""

    def __init__(self, events: Callable[[], Iterable[Event]]) -> None:
        self._events = events
        self._field = ipywidgets.Text(
            placeholder="Search logs",
            description="Search logs",
            continuous_update=False,
            style={"description_width": "initial"},
        )
        self._found = ipywidgets.HTML(layout=ipywidgets.Layout(width="auto"))
        self._field.observe(lambda _: self._search(), "value")
        self._box = ipywidgets.VBox([self._field, self._found], layout=ipywidgets.Layout(width="auto"))

    @property
    def widget(self) -> Any:
        return self._box

    @property
    def field(self) -> Any:
        return self._field

    def parts(self) -> tuple[Any, ...]:
        """Every widget of it, to be closed."""
        return self._field, self._found, self._box

    def _search(self) -> None:
        wanted = self._field.value.strip()
        self._found.value = card(found_lines(_lines(self._events()), wanted, MOST), "Lines found in the logs") if wanted else ""


def _lines(events: Iterable[Event]) -> Iterable[tuple[str, str]]:
    for event in events:
        match event.payload:
            case BuildLine(urn=urn, services=services, line=line):
                yield f"{', '.join(services) or urn.rpartition('/')[2]} build", line
            case LogLine(service=service, line=line):
                yield service, line

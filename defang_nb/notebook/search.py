"""A field that finds lines in all that a deployment's builds and services wrote, also those that a log shows no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from defang_nb.errors import DefangError
from defang_nb.model.events import BuildLine, Event, LogLine
from defang_nb.notebook.place import place, put
from defang_nb.notebook.subshell import answer_while_a_cell_runs
from defang_nb.render.logs import found_lines
from defang_nb.render.markup import card, esc

MOST = 100
"""Lines that are shown of those found: the last ones."""

FOUND = "Lines found in the logs"


class LogSearch:
    """`events` gives the story so far."""

    def __init__(self, events: Callable[[], Iterable[Event]]) -> None:
        self._events = events
        self._field = answer_while_a_cell_runs(
            ipywidgets.Text(
                placeholder="words, then Enter",
                description="Search logs",
                continuous_update=False,
                style={"description_width": "initial"},
            )
        )
        self._found = place()
        self._field.observe(lambda _: self._search(), "value")

    def offer(self, there: bool) -> None:
        """Show the field only where there is something to be found."""
        self._field.layout.display = None if there else "none"

    @property
    def field(self) -> Any:
        return self._field

    @property
    def found(self) -> Any:
        """Where the lines are shown that were found."""
        return self._found

    def parts(self) -> tuple[Any, ...]:
        """Every widget of it, to be closed."""
        return self._field, self._found

    def _search(self) -> None:
        """On a thread of its own: a story may be long, and lie in a store that is far away."""
        wanted = self._field.value.strip()
        put(self._found, card('<div class="body mute" role="status">searching …</div>', FOUND) if wanted else "")
        if wanted:
            threading.Thread(target=self._find, args=(wanted,), name="defang-nb-search", daemon=True).start()

    def _find(self, wanted: str) -> None:
        try:
            found = found_lines(_lines(self._events()), wanted, MOST)
        except DefangError as error:
            found = f'<div class="body bad" role="status">✘ {esc(error)}</div>'
        if wanted == self._field.value.strip():
            put(self._found, card(found, FOUND))


def _lines(events: Iterable[Event]) -> Iterable[tuple[str, str]]:
    for event in events:
        match event.payload:
            case BuildLine(urn=urn, services=services, line=line, more=more):
                source = f"{', '.join(services) or urn.rpartition('/')[2]} build"
                yield from ((source, each) for each in (line, *more))
            case LogLine(service=service, line=line, more=more):
                yield from ((service, each) for each in (line, *more))

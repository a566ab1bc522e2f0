"""The Compose texts that `%%compose` cells keep, with line numbers as the reader's cell shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from defang_nb.commands.host import Source

if TYPE_CHECKING:
    from defang_nb.model.project import Project


class Kept(NamedTuple):
    """A cell's text, and the project that it came to (None while it has errors)."""

    source: Source
    project: Project | None = None


class Cells:
    """Texts by the name they were given ("" without one); the last one is the current project."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._current: str | None = None

    def keep(self, source: Source, project: Project | None = None) -> None:
        self._kept[source.project] = Kept(source, project)
        self._current = source.project

    def find(self, name: str | None) -> Kept | None:
        """The text called `name` (or that came to a project of that name); the current one when `name` is None."""
        if name is None:
            return None if self._current is None else self._kept[self._current]
        called = self._kept.get(name)
        return called or next((kept for kept in self._kept.values() if kept.project and kept.project.name == name), None)


def numbered(body: str, raw_cell: str) -> str:
    """`body` with as many empty lines before it as the cell has above it, so that line numbers are those of the cell.

    `raw_cell` is the cell as it was typed ("" when it isn't known: then the magic is taken to be its first line).
    """
    lines = raw_cell.splitlines()
    above = next((index for index, line in enumerate(lines) if line.lstrip().startswith("%%compose")), 0)
    return "\n" * (above + 1) + body

"""What cells keep: Compose texts, with line numbers as the reader's cell shows them, and apps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from defang_nb.commands.host import Source

if TYPE_CHECKING:
    from defang_nb.model.project import Project
    from defang_nb.scaffold.app import App


class Placed(NamedTuple):
    """An app, and the folder that its files were written to."""

    app: App
    folder: Path


class Kept(NamedTuple):
    """A cell's text, the apps that belong to it, and the project that they came to (None while there are errors)."""

    text: Source
    apps: Mapping[str, Placed]
    project: Project | None = None

    @property
    def source(self) -> Source:
        """The text with the apps' services, each as a YAML document of its own, which Compose merges in order."""
        documents = [self.text.text, *(placed.app.compose(placed.folder) for placed in self.apps.values())]
        return self.text._replace(text="\n---\n".join(documents))


class Cells:
    """Texts by the name they were given ("" without one); the last one is the current project."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._current: str | None = None

    def keep(self, text: Source) -> Kept:
        """Take `text` as the current project. The apps of an earlier text of that name stay with it."""
        before = self._kept.get(text.project)
        return self._put(Kept(text, before.apps if before else {}))

    def add(self, placed: Placed, label: str) -> Kept:
        """Put an app into the current project; where there is none, into one that is called like it."""
        kept = self.find(None) or Kept(Source(f"name: {placed.app.name}\n", label, placed.app.name), {})
        return self._put(Kept(kept.text, {**kept.apps, placed.app.name: placed}))

    def checked(self, kept: Kept, project: Project) -> None:
        """Note what it came to."""
        self._put(kept._replace(project=project))

    def _put(self, kept: Kept) -> Kept:
        self._kept[kept.text.project] = kept
        self._current = kept.text.project
        return kept

    def find(self, name: str | None) -> Kept | None:
        """The text called `name` (or that came to a project of that name); the current one when `name` is None."""
        if name is None:
            return None if self._current is None else self._kept[self._current]
        called = self._kept.get(name)
        return called or next((kept for kept in self._kept.values() if kept.project and kept.project.name == name), None)


def numbered(body: str, raw_cell: str, magic: str) -> str:
    """`body` with as many empty lines before it as the cell has above it, so that line numbers are those of the cell."""
    return "\n" * (first_line(raw_cell, magic) - 1) + body


def first_line(raw_cell: str, magic: str) -> int:
    """The line of the cell at which the body of its magic begins, from 1.

    `raw_cell` is the cell as it was typed ("" when it isn't known: then the magic is taken to be its first line).
    """
    lines = raw_cell.splitlines()
    return 2 + next((index for index, line in enumerate(lines) if line.lstrip().startswith(f"%%{magic}")), 0)

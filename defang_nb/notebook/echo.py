"""What a line magic's value shows when nobody assigns it: nothing right after it was shown, itself anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from defang_nb.notebook.slot import show

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from defang_nb.render.tables import Table

Draw = Callable[[Any], dict[str, str]]


class Listing(list[Any]):
    """A command's rows as a list that shows as the command's table."""

    def __init__(self, rows: Iterable[Any], table: Table) -> None:
        super().__init__(rows)
        self.table = table


class Echo:
    """Registered for the types that magics return; a value is not shown twice in the cell that its magic ran in."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._just: tuple[int, int] | None = None
        self._types: list[tuple[str, str]] = []

    def register(self, module: str, name: str, draw: Draw) -> None:
        formatter: Any = self._formatter()
        formatter.for_type_by_name(module, name, lambda value: self._show(value, draw))
        self._types.append((module, name))

    def was_shown(self, value: object) -> None:
        self._just = (id(value), self._shell.execution_count)

    def unregister(self) -> None:
        formatter: Any = self._formatter()
        for module, name in self._types:
            dotted = f"{module}.{name}"
            if dotted in formatter:
                formatter.pop(dotted)
        self._types.clear()

    def _formatter(self) -> Any:
        display_formatter: Any = self._shell.display_formatter
        return display_formatter.ipython_display_formatter

    def _show(self, value: object, draw: Draw) -> None:
        just, self._just = self._just, None
        if just != (id(value), self._shell.execution_count):
            show(draw(value))

"""The notebook's host: displays instead of prints, cells instead of files, variables instead of standard input."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from defang_nb.commands.follow import told
from defang_nb.commands.host import Source, goes_on
from defang_nb.commands.words import Face
from defang_nb.errors import UsageError
from defang_nb.notebook import frontend
from defang_nb.notebook.cells import Cells
from defang_nb.notebook.live import LiveView, bundle
from defang_nb.notebook.logview import LogView
from defang_nb.notebook.slot import show
from defang_nb.render.markup import Link
from defang_nb.render.progress import progress_line
from defang_nb.render.tables import Table, table_html, table_text

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment
    from defang_nb.client.session import RunningCommand
    from defang_nb.model.execution import TerminalSize
    from defang_nb.model.overview import Overview
    from defang_nb.model.status import LogRecord, Usage
    from defang_nb.scaffold.app import App


class NotebookHost:
    """Made for one line: `expanded` are the line's words into which variables were put, and so not typed as they are."""

    face = Face.NOTEBOOK

    def __init__(
        self, *, stack: str, cells: Cells, variables: Callable[[], dict[str, Any]], link: Link, kernel: bool, widgets: bool,
        log_lines: int, expanded: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.stack = stack
        self._cells = cells
        self._variables = variables
        self._link = link
        self._kernel = kernel
        self._widgets = widgets
        self._log_lines = log_lines
        self._expanded = expanded
        self.shown: Table | None = None

    def source(self, project: str | None) -> Source | None:
        kept = self._cells.find(project)
        return kept.source if kept else None

    def note(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")

    def text(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")

    def table(self, table: Table, records: Sequence[object]) -> None:
        self.shown = table
        show(table_bundle(table, self._link))

    def typed(self, word: str) -> bool:
        return word not in self._expanded

    def apps(self, project: str | None) -> Mapping[str, App]:
        kept = self._cells.find(project)
        return {name: placed.app for name, placed in kept.apps.items()} if kept else {}

    def stdin(self) -> str:
        raise UsageError("a notebook has no standard input", hint="use --from-variable NAME, --file FILE or --random")

    def variable(self, name: str) -> str:
        """The error never holds the value."""
        found = self._variables()
        if name not in found:
            raise UsageError(f"there is no variable {name!r}", hint="it is looked up in the notebook's own namespace")
        if not isinstance(found[name], str):
            raise UsageError(f"the variable {name!r} is a {type(found[name]).__name__}, and a value is text")
        return str(found[name])

    def watch(self, deployment: Deployment, *, detach: bool) -> bool:
        try:
            over = self._watch(deployment, detach)
        except KeyboardInterrupt:
            over = False
        if not over:
            self.note(goes_on(deployment, Face.NOTEBOOK))
        return over

    def _watch(self, deployment: Deployment, detach: bool) -> bool:
        if not self._kernel:
            for view, event in told(deployment, detach=detach):
                if line := progress_line(view, event):
                    self.text(line)
            return deployment.done
        if self._widgets and not frontend.in_colab() and (why := frontend.missing_widgets()):
            self.note(why)
        live = LiveView(deployment, self._link, widgets=self._widgets and frontend.widgets())
        try:
            return live.wait(detach=detach)
        finally:
            live.detached()

    def logs(self, records: Iterable[LogRecord], *, follow: bool) -> None:
        LogView(self._log_lines).run(records, follow=follow)

    def usage(self, samples: Iterable[Sequence[Usage]], *, title: str, most: int | None) -> None:
        from defang_nb.notebook.chart import Chart

        Chart(title, self._kernel).run(samples, most)

    def dashboard(self, look: Callable[[], Overview]) -> object:
        from defang_nb.notebook.dashboard import Dashboard

        return Dashboard(look=look, link=self._link, widgets=self._widgets).shown()

    def terminal(self) -> TerminalSize | None:
        return None

    def running(self, command: RunningCommand, name: str) -> None:
        from defang_nb.notebook.running import show_running

        show_running(command, name, self._log_lines)


def table_bundle(table: Table, link: Link) -> dict[str, str]:
    return {"text/html": table_html(table, link=link), "text/plain": table_text(table, link=link)}


def deployment_bundle(deployment: Deployment, link: Link) -> dict[str, str]:
    """A deployment as it is now, for a cell that ends with one."""
    return bundle(deployment.view, link, time.time())

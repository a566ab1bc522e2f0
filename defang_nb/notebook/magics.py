"""`%defang` and `%%compose`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, cell_magic, line_cell_magic, line_magic, magics_class, no_var_expand
from traitlets import Bool, Int, TraitError, Unicode, validate

from defang_nb.client.links import proxied, server_base, through_colab
from defang_nb.commands.app import APP
from defang_nb.commands.help import help_text
from defang_nb.commands.parse import parse, parse_cell, split
from defang_nb.commands.words import Face
from defang_nb.errors import UsageError
from defang_nb.notebook.cells import Cells
from defang_nb.notebook.expand import expand
from defang_nb.notebook.frontend import in_colab

_STACK = re.compile(r"[a-z][a-z0-9]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")

COMPOSE_HELP = """%%compose [name]

Keep the cell's text as the current project, and check it at once: a table of its services, or its errors with line and column.
With a name, several cells can hold projects side by side: `%defang up -p name` takes that one, `%defang up` the last one run.
The text is taken as it stands: ${VARIABLES} are Compose's, not Python's."""


@magics_class
class DefangMagics(Magics):
    """What `%config DefangMagics` can set."""

    stack = Unicode("", help="The stack that commands use without --stack; empty: that of `stack default`.").tag(config=True)
    widgets = Bool(True, help="Use ipywidgets, where they are installed, for live views.").tag(config=True)
    log_lines = Int(500, min=10, max=20_000, help="Lines that a display of logs holds.").tag(config=True)
    proxy = Unicode(
        "", help="The path of the Jupyter server whose /proxy/<port>/ reaches this machine (a hub's is known)."
    ).tag(config=True)

    def __init__(self, shell: Any, cells: Cells, was_shown: Any, **settings: Any) -> None:
        super().__init__(shell=shell, **settings)
        self.cells = cells
        self._was_shown = was_shown

    @property
    def place(self) -> str:
        """The stack that is meant where none is named."""
        from defang_nb.client.stacks import default_stack

        return self.stack or default_stack(Path.cwd())

    @validate("stack")
    def _valid_stack(self, proposal: Any) -> str:
        if proposal["value"] and not _STACK.fullmatch(proposal["value"]):
            raise TraitError(f"a stack's name is lower-case letters and digits, and {proposal['value']!r} is not")
        return str(proposal["value"])

    @validate("proxy")
    def _valid_proxy(self, proposal: Any) -> str:
        if proposal["value"] and not proposal["value"].startswith("/"):
            raise TraitError("a server's path begins with /, for example /user/ada/")
        return str(proposal["value"])

    def link(self, url: str) -> str:
        base = self.proxy or server_base()
        return through_colab(url) if in_colab() and not base else proxied(url, base)

    def variables(self) -> dict[str, Any]:
        return self.shell.user_ns  # type: ignore[no-any-return, union-attr]

    @no_var_expand
    @line_magic
    def defang(self, line: str) -> Any:
        words, expanded = expand(split(line), self.variables())
        invocation = parse(words, Face.NOTEBOOK)
        output = invocation.text("output")
        if output is not None and not output.isidentifier():
            raise UsageError(f"{output!r} is no name for a variable")
        from defang_nb.commands.run import run

        host = self._host(expanded)
        result = run(invocation, host)
        if isinstance(result, list) and host.shown is not None:
            from defang_nb.notebook.echo import Listing

            result = Listing(result, host.shown)
        if output is not None:
            self.variables()[output] = result
        self._was_shown(result)
        return result

    defang.__doc__ = help_text(Face.NOTEBOOK)

    @no_var_expand
    @cell_magic
    def compose(self, line: str, cell: str) -> None:
        words = split(line)
        if words in (["-h"], ["--help"]):
            self._host().text(COMPOSE_HELP)
            return
        if len(words) > 1 or not all(_NAME.fullmatch(word) for word in words):
            raise UsageError(
                f"%%compose takes one name at most, of lower-case letters, digits, - and _; not {' '.join(words)!r}",
                hint="for example: %%compose shop",
            )
        from defang_nb.notebook.check import check_cell

        check_cell(self.shell, self.cells, stack=self.place, name=words[0] if words else "", body=cell)

    compose.__doc__ = COMPOSE_HELP

    @no_var_expand
    @line_cell_magic
    def app(self, line: str, cell: str = "") -> None:
        words, expanded = expand(split(line), self.variables())
        invocation = parse_cell(words, APP)
        if invocation.help:
            self._host().text(help_text(Face.CELL, APP))
            return
        from defang_nb.notebook.app import app_cell

        app_cell(self.shell, self.cells, self._host(expanded), invocation, cell)

    app.__doc__ = help_text(Face.CELL, APP)

    def _host(self, expanded: frozenset[str] = frozenset()) -> Any:
        from defang_nb.notebook.host import NotebookHost

        return NotebookHost(
            stack=self.place,
            cells=self.cells,
            variables=self.variables,
            link=self.link,
            kernel=getattr(self.shell, "kernel", None) is not None,
            widgets=self.widgets,
            log_lines=self.log_lines,
            expanded=expanded,
        )

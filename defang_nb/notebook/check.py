"""What a `%%compose` cell does with its text: keep it, check it, show what it comes to."""

from __future__ import annotations

from typing import Any

from defang_nb.client import api
from defang_nb.commands.host import Source
from defang_nb.errors import UnsupportedError
from defang_nb.model.source import Severity, format_diagnostic
from defang_nb.notebook.cells import Cells, Kept, numbered
from defang_nb.notebook.slot import show
from defang_nb.render.listings import project_table
from defang_nb.render.markup import fragment
from defang_nb.render.problems import by_weight, diagnostic_html
from defang_nb.render.tables import table_html, table_text


def check_cell(shell: Any, cells: Cells, *, stack: str, name: str, body: str) -> None:
    """Raises `ComposeError`, or `UnsupportedError` for what the stack's provider can't run: the cell fails, Run All stops.

    The text is kept either way, so that no later `up` quietly takes an older one.
    """
    label = cell_label(shell)
    kept = cells.keep(Source(numbered(body, raw_cell(shell), "compose"), label, name))
    check_kept(cells, kept, stack=stack)


def check_kept(cells: Cells, kept: Kept, *, stack: str) -> None:
    """Load it, ask the provider, and show what it comes to. Raises as `check_cell` does."""
    source = kept.source
    checked = api.check(text=source.text, name=source.label, project=source.project or None, stack=stack)
    errors = [each for each in checked.diagnostics if each.severity is Severity.ERROR]
    others = by_weight([each for each in checked.diagnostics if each.severity is not Severity.ERROR])
    missing = set(checked.missing)
    table = project_table(checked.project, config_names=[key for key in checked.project.config_keys() if key not in missing])
    html = table_html(table) + (fragment("".join(map(diagnostic_html, others))) if others else "")
    show({"text/html": html, "text/plain": "\n".join([table_text(table), *map(format_diagnostic, others)])})
    if errors:
        raise UnsupportedError(f"stack {stack} can't run this project", diagnostics=errors)
    cells.checked(kept, checked.project)


def cell_label(shell: Any) -> str:
    return f"cell [{shell.displayhook.prompt_count}]"


def raw_cell(shell: Any) -> str:
    """The cell as it was typed; "" where the shell keeps no history."""
    history = getattr(shell, "history_manager", None)
    typed = getattr(history, "input_hist_raw", None) or [""]
    return str(typed[-1])

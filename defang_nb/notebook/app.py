"""What a `%%app` cell does with its code: make it a service of the current project, and show what was made."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defang_nb.client import api
from defang_nb.commands.parse import Invocation
from defang_nb.errors import UsageError
from defang_nb.notebook.cells import Cells, Kept, Placed, first_line
from defang_nb.notebook.check import cell_label, check_kept, raw_cell
from defang_nb.notebook.slot import show
from defang_nb.providers.local.paths import home
from defang_nb.render.tables import Cell, Table, table_html, table_text
from defang_nb.scaffold.app import App, Wish, make_app, write_app

if TYPE_CHECKING:
    from defang_nb.notebook.host import NotebookHost


def app_cell(shell: Any, cells: Cells, host: NotebookHost, invocation: Invocation, body: str) -> None:
    """Raises `UsageError` for code that is no app (with its line in the cell), and what checking the project raises."""
    notebook = invocation.text("notebook")
    if not body.strip() and notebook is None:
        raise UsageError("%%app needs the app's code in its cell", hint="or a notebook to serve: --notebook FILE")
    if body.strip() and notebook is not None:
        raise UsageError("--notebook takes the place of the cell's code, and there is both", hint="empty the cell: %app …")
    port = invocation.number("port")
    if port == 0:
        raise UsageError("0 is no port", hint="ports go from 1 to 65535")
    wish = Wish(
        name=invocation.words[0],
        framework=invocation.text("framework") or "",
        requirements=invocation.many("requirements"),
        stores=invocation.many("stores"),
        port=int(port or 0),
        include=invocation.many("include"),
    )
    label = cell_label(shell)
    app = make_app(
        wish,
        body,
        Path.cwd(),
        label=label,
        first=first_line(raw_cell(shell), "app"),
        notebook=Path(notebook) if notebook else None,
    )
    kept = _place(cells, app, label)
    table = app_table(app)
    show({"text/html": table_html(table), "text/plain": table_text(table)})
    _generate(app, kept, host)
    check_kept(cells, kept, stack=host.stack)


def _place(cells: Cells, app: App, label: str) -> Kept:
    """Write its files to a folder of its project's, and put it into the project."""
    current = cells.find(None)
    project = (current.project.name if current and current.project else current.text.project if current else "") or app.name
    folder = home() / "apps" / project / app.name
    write_app(app, folder)
    return cells.add(Placed(app, folder), label)


def _generate(app: App, kept: Kept, host: NotebookHost) -> None:
    """Secrets that nobody has to know are made where they are needed for the first time."""
    if not app.generated:
        return
    source = kept.source
    checked = api.check(text=source.text, name=source.label, project=source.project or None, stack=host.stack)
    for key in app.generated:
        if key in checked.missing:
            api.config_set(key, secrets.token_urlsafe(24), project=checked.project.name, stack=host.stack)
            host.note(f"config {key} was not set, and is now 32 random characters")


def app_table(app: App) -> Table:
    """What was made of an app's code: its packages and files, each with why it is there, and what serves it."""
    rows = [(Cell("serves it"), Cell(" ".join(app.command)), Cell(f"{app.framework}, port {app.port}"))]
    rows += [(Cell("package"), Cell(each.line), Cell(each.why)) for each in app.requirements]
    rows += [(Cell("file"), Cell(name), Cell(_origin(content))) for name, content in app.files.items()]
    rows += [(Cell("config"), Cell(key), Cell("the code can't do without it")) for key in app.settings]
    rows += [(Cell("service"), Cell(name), Cell("goes with it")) for name in app.services if name != app.name]
    return Table(f"App {app.name}", ("", "What", "Why"), tuple(rows), notes=("%defang show prints the files",))


def _origin(content: object) -> str:
    return "made" if isinstance(content, str | bytes) else "from beside the notebook"

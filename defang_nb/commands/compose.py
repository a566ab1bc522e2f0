"""`compose config`: what the Compose files mean, as one canonical file or as the typed project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from defang_nb import compose
from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.compose.emit import yaml_text
from defang_nb.model.source import format_diagnostic


def compose_config(invocation: Invocation, host: Host) -> None:
    """Of the named files, else the face's own text (a notebook's cell), else of the files that are found here.

    Raises `ComposeError`, `NotFoundError`. Warnings are notes, so that the result can be piped on.
    """
    name = invocation.text("project")
    files = [Path(each).expanduser().absolute() for each in invocation.many("files")]
    cell = None if files else host.source(name)
    loaded = compose.load(
        [compose.Source(cell.label, cell.text)] if cell else files or None,
        working_dir=files[0].parent if files else Path.cwd(),
        project_name=name or (cell.project if cell else "") or None,
        env_files=[Path(each).expanduser().absolute() for each in invocation.many("env_files")],
        profiles=invocation.many("profiles"),
        services=invocation.words,
        as_compose=invocation.flag("as_compose"),
        interpolate=not invocation.flag("no_interpolate"),
        all_resources=invocation.flag("all_resources"),
    )
    for each in loaded.diagnostics:
        host.note(format_diagnostic(each))
    model = loaded.canonical if invocation.flag("as_compose") else msgspec.to_builtins(loaded.project)
    host.text(_dump(model, invocation.text("format") or "yaml"))


def _dump(model: Any, form: str) -> str:
    if form == "json":
        return msgspec.json.format(msgspec.json.encode(model), indent=2).decode()
    return yaml_text(model).removesuffix("\n")

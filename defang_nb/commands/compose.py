"""`compose config`: what the Compose files mean, as one canonical file or as the typed project."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import yaml

from defang_nb import compose
from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.model.source import format_diagnostic


def compose_config(invocation: Invocation, host: Host) -> None:
    """Raises `ComposeError`. Warnings are notes, so that the result can be piped on."""
    loaded = compose.load(
        invocation.many("files"),
        project=invocation.text("project"),
        profiles=invocation.many("profiles"),
        env_files=invocation.many("env_files"),
        services=invocation.words,
        interpolate=not invocation.flag("no_interpolate"),
    )
    for each in loaded.diagnostics:
        host.note(format_diagnostic(each))
    model = loaded.canonical if invocation.flag("as_compose") else msgspec.to_builtins(loaded.project)
    host.text(_dump(model, invocation.text("format") or "yaml"))


def _dump(model: Any, form: str) -> str:
    if form == "json":
        return json.dumps(model, indent=2, ensure_ascii=False)
    return yaml.safe_dump(model, sort_keys=False, allow_unicode=True, width=1000).rstrip()

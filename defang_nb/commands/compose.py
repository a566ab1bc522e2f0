"""`compose config`: what the Compose files mean, as one canonical file, or the names of what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from defang_nb import compose
from defang_nb.commands.host import Host
from defang_nb.commands.options import LISTS, STDIN
from defang_nb.commands.parse import Invocation
from defang_nb.compose import Loaded, Source
from defang_nb.compose.emit import json_text, yaml_text
from defang_nb.errors import UsageError
from defang_nb.model.source import format_diagnostic


def compose_config(invocation: Invocation, host: Host) -> None:
    """Raises `ComposeError`, `NotFoundError`, `UsageError`. Warnings are notes, so that the result can be piped on."""
    asked = next((each for each in LISTS if invocation.flag(f"list_{each}")), "")
    loaded = _load(invocation, host, asked)
    for each in loaded.diagnostics:
        host.note(format_diagnostic(each))
    if invocation.flag("quiet"):
        return
    text = _listed(asked, loaded.canonical) if asked else _dump(loaded.canonical, invocation.text("format") or "yaml")
    if file := invocation.text("file"):
        _write(Path(file).expanduser(), text, host)
    elif text:
        host.text(text)


def _load(invocation: Invocation, host: Host, asked: str) -> Loaded:
    """From the named files, else the face's own text, else the files that are found from here."""
    named = invocation.many("files")
    sources: list[Source | Path] = [
        Source("stdin", host.stdin()) if each == STDIN else Path(each).expanduser().absolute() for each in named
    ]
    own = None if named else host.source(invocation.text("project"))
    folders = [each.parent for each in sources if isinstance(each, Path)]
    return compose.load(
        sources or ([Source(own.label, own.text)] if own else None),
        working_dir=folders[0] if folders else Path.cwd(),
        project_name=invocation.text("project") or (own.project if own else "") or None,
        env_files=[Path(each).expanduser().absolute() for each in invocation.many("env_files")],
        profiles=["*"] if asked == "profiles" else invocation.many("profiles"),
        services=() if asked in ("services", "volumes", "networks", "models") else invocation.words,
        as_compose=invocation.flag("as_compose"),
        stack=host.stack,
        interpolate=not invocation.flag("no_interpolate"),
        all_resources=invocation.flag("all_resources"),
    )


def _listed(what: str, model: Mapping[str, Any]) -> str:
    services: Mapping[str, Mapping[str, Any]] = model["services"]
    match what:
        case "images":
            names = [
                each.get("image") or f"{model['name']}-{name}" for name, each in services.items() if "provider" not in each
            ]
        case "profiles":
            names = sorted({profile for each in services.values() for profile in each.get("profiles", ())})
        case "models":
            names = [each["model"] for each in model.get("models", {}).values()]
        case _:
            names = list(model.get(what, ()))
    return "\n".join(names)


def _dump(model: Mapping[str, Any], form: str) -> str:
    if form == "json":
        return json_text(model)
    services = {
        name: {key: value for key, value in each.items() if value is not None or key not in ("command", "entrypoint")}
        for name, each in model["services"].items()
    }
    return yaml_text({**model, "services": services}).removesuffix("\n")


def _write(file: Path, text: str, host: Host) -> None:
    try:
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"{file} can't be written: {problem.strerror}", hint="name a file in a folder that is there") from None
    host.note(f"written: {file}")

"""What any input may come to: a project whose canonical form means the same again, or a refusal with places in its texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from defang_nb.compose import Loaded, Source, load
from defang_nb.compose.emit import json_text, yaml_text
from defang_nb.errors import ComposeError
from defang_nb.model.source import Diagnostic, Severity

_OTHER_BREAKS = re.compile("\r(?!\n)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def answer(parts: dict[str, str], folder: Path, **options: Any) -> Loaded | None:
    """Load a project of these files (the first ones are written, when they can be) and hold it to that. None: refused."""
    for name, text in parts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    over = [folder / "over.yaml"] if "over.yaml" in parts else []
    sources = [Source("compose.yaml", parts["compose.yaml"]), *over]
    try:
        loaded = load(sources, working_dir=folder, environ={"HOME": "/home/u"}, **options)
    except ComposeError as refusal:
        assert any(each.severity is Severity.ERROR for each in refusal.diagnostics)
        for each in refusal.diagnostics:
            _placed(each, parts, folder)
        assert refusal._render_traceback_()
        return None
    for each in loaded.diagnostics:
        _placed(each, parts, folder)
    msgspec.json.encode(loaded.project)
    round_trip(loaded, folder, **options)
    return loaded


def _placed(found: Diagnostic, parts: dict[str, str], folder: Path) -> None:
    assert found.message
    at = found.position
    if at is None:
        return
    text = parts.get(at.file) or _read(folder / at.file)
    if _OTHER_BREAKS.search(text):
        return  # where a line ends is another matter for YAML than for env files
    lines = text.removeprefix("\ufeff").splitlines() or [""]
    assert 1 <= at.line <= len(lines) + 1, found
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    assert 1 <= at.column <= len(line) + 1, found


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "replace")


def round_trip(loaded: Loaded, folder: Path, **options: Any) -> None:
    """The canonical form, written as YAML and as JSON, loads to the same model.

    But for keys with a `$`: the reference escapes those too, and reads no escape in them.
    """
    if any("$" in key for key in _keys(loaded.canonical)):
        return
    same = {key: value for key, value in options.items() if key in ("as_compose", "interpolate")}
    written = yaml_text(loaded.canonical)
    endless = re.search(r"\.(inf|nan)\b", written)  # JSON has no such numbers
    for text in (written,) if endless else (written, json_text(loaded.canonical)):
        (folder / "again").mkdir(exist_ok=True)
        again = load(
            [Source("again.yaml", text)],
            working_dir=folder / "again",
            environ={"HOME": "/home/u"},
            profiles=["*"],
            all_resources=True,
            **same,
        )
        if options.get("interpolate", True):  # else some spellings stay as they stand, as the reference prints them
            assert yaml_text(again.canonical) == written  # as text, since no nan equals another
            assert repr(_meaning(again)) == repr(_meaning(loaded))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(each)


def _meaning(loaded: Loaded) -> Any:
    """The typed project. The canonical form names the usual Dockerfile, as the reference's does."""
    plain = msgspec.to_builtins(loaded.project)
    for service in plain["services"].values():
        if (build := service["build"]) and not build["dockerfile_inline"]:
            build["dockerfile"] = build["dockerfile"] or "Dockerfile"
        for key in ("deploy", "provider"):  # whose canonical form is told by `canonical`
            service["rest"].pop(key, None)
    return {key: value for key, value in plain.items() if key not in ("positions", "files", "working_dir")}

"""The loader against answers of the reference (docker compose), case by case, where those answers are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from defang_nb.compose import load
from defang_nb.errors import DefangError

CASES = Path(__file__).parents[3] / "shared" / "compose-cases.jsonl"
UNMET: frozenset[str] = frozenset()
"""Cases that are known not to agree yet; one that begins to agree has to leave this list."""


def _cases() -> list[dict[str, Any]]:
    if not CASES.is_file():
        return []
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    return [case for case in cases if not case.get("head_differs")]


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        pruned = {key: _pruned(each) for key, each in value.items()}
        return {key: each for key, each in pruned.items() if each not in (None, {}, [], "")}
    return [_pruned(each) for each in value] if isinstance(value, list) else value


def _loose(value: Any) -> Any:
    """Numbers that one side writes as text compare equal."""
    if isinstance(value, dict):
        return {key: _loose(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_loose(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    try:
        return repr(float(value))
    except ValueError:
        return value


def _options(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"profiles": [], "services": [], "env_files": []}
    files: list[Path] = []
    arguments = iter(case["args"])
    for argument in arguments:
        match argument:
            case "-f":
                files.append(folder / next(arguments))
            case "-p":
                options["project_name"] = next(arguments)
            case "--profile":
                options["profiles"].append(next(arguments))
            case "--env-file":
                options["env_files"].append(Path(next(arguments)))
            case "@--no-interpolate":
                options["interpolate"] = False
            case _:
                options["services"].append(argument.removeprefix("@"))
    discovered = case.get("nof") or "compose.override.yaml" in case["files"]
    options["sources"] = files or (None if discovered else [folder / "compose.yaml"])
    return options


def _agrees(case: dict[str, Any], folder: Path) -> bool:
    for name, text in case["files"].items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    options = _options(case, folder)
    expected = case["expect"]
    environ = {"HOME": "/home/u", **case["env"]}
    try:
        loaded = load(options.pop("sources"), working_dir=folder, environ=environ, as_compose=True, **options)
    except DefangError:
        return not expected["ok"]
    shown = json.dumps(loaded.canonical).replace(str(folder), "@ROOT@").replace(str(folder.parent), "@PARENT@")
    return bool(expected["ok"]) and _loose(_pruned(json.loads(shown))) == _loose(_pruned(expected["model"]))


def test_agrees_with_the_reference(tmp_path: Path) -> None:
    cases = _cases()
    if not cases:
        pytest.skip(f"no reference cases: put them at {CASES}, one JSON object a line")
    wrong = set()
    for case in cases:
        folder = tmp_path / case["id"] / case.get("dir", "proj")
        folder.mkdir(parents=True)
        if not _agrees(case, folder):
            wrong.add(case["id"])
    assert wrong == UNMET

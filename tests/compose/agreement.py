"""Cases of ours for the loader, the answers of the reference (`docker compose config`) to them, and what agreement means.

A case is a mapping of: `files` (name → text; or `compose`, the text of compose.yaml; or `service`, what service `a` says there
besides its image), `env`, `args` (those before `config`, such as -f; those after it are written with an @), `dir` (the
project folder's name), `discover` (the files are found), `differs` (why we mean to answer otherwise than the reference).
`@ROOT@` stands for the project folder in all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from defang_nb.compose import load
from defang_nb.errors import ComposeError, DefangError

CASES = Path(__file__).parent / "cases"
HOME = "/home/u"

Case = Mapping[str, Any]


def cases(file: Path) -> dict[str, Case]:
    """The cases of a file by their names, with `files` in full."""
    found: dict[str, Case] = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {name: {**case, "files": _files(case)} for name, case in found.items()}


def _files(case: Case) -> dict[str, str]:
    files = dict(case.get("files", {}))
    if "compose" in case:
        files["compose.yaml"] = case["compose"]
    if "service" in case:
        files["compose.yaml"] = f"name: p\nservices:\n  a:\n    image: x\n{indent(case['service'], '    ')}\n"
    return files


def answers(file: Path) -> dict[str, dict[str, Any]]:
    """What the reference was recorded to answer to the cases of `file`."""
    recorded = file.with_suffix(".jsonl")
    lines = recorded.read_text(encoding="utf-8").splitlines() if recorded.is_file() else []
    return {answer["case"]: answer for answer in map(json.loads, lines)}


def put(case: Case, parent: Path) -> Path:
    """Write the case's files under `parent`; the project folder."""
    folder = parent / case.get("dir", "proj")
    folder.mkdir(parents=True)
    for name, text in case["files"].items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.replace("@ROOT@", str(folder)).encode())
    return folder


def arguments(case: Case, folder: Path) -> tuple[list[str], list[str]]:
    """The arguments before and after `config`."""
    given = [str(each).replace("@ROOT@", str(folder)) for each in case.get("args", ())]
    before = [each for each in given if not each.startswith("@")]
    if "-f" not in before and not case.get("discover") and "compose.override.yaml" not in case["files"]:
        before = ["-f", "compose.yaml", *before]
    return before, [each[1:] for each in given if each.startswith("@")]


def environment(case: Case, folder: Path) -> dict[str, str]:
    return {"HOME": HOME, **{key: str(value).replace("@ROOT@", str(folder)) for key, value in case.get("env", {}).items()}}


def ours(case: Case, folder: Path) -> dict[str, Any]:
    """Our answer, found in this process: `ok`, and `model` or `error`."""
    before, after = arguments(case, folder)
    options = _options([*before, *after], folder)
    try:
        sources = options.pop("sources")
        start = sources[0].parent if sources else folder
        loaded = load(sources, working_dir=start, environ=environment(case, folder), as_compose=True, **options)
    except DefangError as error:
        return {"ok": False, "error": str(error), "placed": not isinstance(error, ComposeError) or _is_placed(error, folder)}
    return {"ok": True, "model": placeless(loaded.canonical, folder)}


def _is_placed(error: ComposeError, folder: Path) -> bool:
    return any(each.position for each in error.diagnostics) or ".yaml" in str(error) or str(folder) in str(error)


def _options(given: list[str], folder: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"profiles": [], "services": [], "env_files": []}
    files: list[Path] = []
    words: Iterator[str] = iter(given)
    for word in words:
        match word:
            case "-f":
                files.append(folder / next(words))
            case "-p":
                options["project_name"] = next(words)
            case "--profile":
                options["profiles"].append(next(words))
            case "--env-file":
                options["env_files"].append(folder / next(words))
            case "--no-interpolate":
                options["interpolate"] = False
            case "--all-resources":
                options["all_resources"] = True
            case _:
                options["services"].append(word)
    return {"sources": files or None, **options}


def placeless(model: Any, folder: Path) -> Any:
    """The model in JSON's types, the project folder written `@ROOT@`."""
    text = json.dumps(model).replace(str(folder), "@ROOT@").replace(str(folder.parent), "@PARENT@")
    return json.loads(text)


def agree(ours: Any, theirs: Any) -> bool:
    """Whether two models are the same: what is empty says nothing, and a number may be written as text."""
    return bool(_loose(_pruned(ours)) == _loose(_pruned(theirs)))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        pruned = {key: _pruned(each) for key, each in value.items()}
        return {key: each for key, each in pruned.items() if each not in (None, {}, [], "")}
    return [_pruned(each) for each in value] if isinstance(value, list) else value


def _loose(value: Any) -> Any:
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


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Each place where two models differ, in words."""
    ours, theirs = _loose(_pruned(ours)), _loose(_pruned(theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}" if path else key)
    elif ours != theirs:
        yield f"{path}: ours {json.dumps(ours)[:300]}, the reference's {json.dumps(theirs)[:300]}"

"""The variables that templates may use, and reading the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as FilePath

from defang_nb.compose import dotenv, files, limits
from defang_nb.compose.nodes import Path
from defang_nb.compose.problems import Problems, did_you_mean
from defang_nb.model.masking import MASK
from defang_nb.model.source import Position
from defang_nb.model.value import ConfigRef


def display(file: str, root: str) -> str:
    """`file` as people know it: relative to the project's folder when it is in there."""
    path = FilePath(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def read_text(
    file: str, problems: Problems, at: Position | None, path: Path, *, what: str, limit: int = limits.COMPOSE_FILE
) -> str | None:
    """The text of `file`; None when it can't be read (which is noted at the place that names it)."""
    try:
        return files.text_of(files.read(file, limit), marked=limit == limits.COMPOSE_FILE)
    except FileNotFoundError:
        problems.error("file-missing", f"{what} is not there: {file}", at, path, hint=_near(file))
    except UnicodeDecodeError:
        problems.error("file-unreadable", f"{file} is not a text in UTF-8", at, path, hint="save it as UTF-8")
    except files.FileError as problem:
        problems.error("file-unreadable", f"{file} {problem}", at, path, problem.hint)
    return None


def of_project(
    environ: Mapping[str, str],
    given: Sequence[str],
    conventional: Sequence[str],
    problems: Problems,
    root: str,
    *,
    as_compose: bool,
) -> dict[str, str]:
    """What templates of the project see: env files, the later over the earlier, and the environment over all.

    `given` files have to be there; `conventional` ones may be. Unless `as_compose`, only COMPOSE_… is seen of `environ`.
    """
    seen = {key: value for key, value in environ.items() if as_compose or key.startswith("COMPOSE_")}
    named = [file for file in conventional if _is_file(FilePath(file))] + list(given)
    return load_files(seen, named, problems, None, (), root)


def of_included(
    outer: Mapping[str, str],
    folder: str,
    env_files: Sequence[str],
    problems: Problems,
    at: Position | None,
    path: Path,
    root: str,
    as_compose: bool,
) -> dict[str, str]:
    """What an included file sees: its own env files (by default its folder's `.env`) under everything outside."""
    own = FilePath(folder, ".env")
    named = list(env_files) or ([str(own)] if _is_file(own) else [])
    return load_files(outer, named, problems, at, path, root)


def load_files(
    seen: Mapping[str, str], named: Sequence[str], problems: Problems, at: Position | None, path: Path, root: str
) -> dict[str, str]:
    """The variables of `files` under those already `seen`."""
    found: dict[str, str] = {}

    def lookup(name: str) -> str | None:
        return seen[name] if name in seen else found.get(name)

    for file in named:
        found.update(parse_file(file, lookup, lambda name: "", problems, at, path, root) or {})
    return {**found, **seen}


def parse_file(
    file: str,
    lookup: Callable[[str], str | None],
    missing: Callable[[str], str | ConfigRef],
    problems: Problems,
    at: Position | None,
    path: Path,
    root: str,
    *,
    raw: bool = False,
    places: dict[str, Position] | None = None,
) -> dict[str, str] | None:
    """The variables of one env file; None when it can't be read, which is noted (at its own line, when that is why).

    `places` is given where each of them stands.
    """
    text = read_text(file, problems, at, path, what="the env file", limit=limits.ENV_FILE)
    if text is None:
        return None
    name = display(file, root)
    lines: dict[str, int] = {}
    try:
        found = dotenv.parse(text, lookup, missing, raw=raw, lines=lines)
    except dotenv.DotenvError as problem:
        problems.add_text(name, hidden(text))
        message = f"the env file {name}: {problem}"
        problems.error("env-file-syntax", message, Position(name, problem.line, problem.column), path, problem.hint)
        return None
    problems.derive(2 * len(found), "env files", at, path)
    if places is not None:
        problems.add_text(name, hidden(text))
        places.update((key, Position(name, line)) for key, line in lines.items())
    return found


def _near(file: str) -> str:
    """What there is instead of a file that is missing."""
    folder = FilePath(file).parent
    try:
        names = [each.name for each in folder.iterdir()]
    except (OSError, ValueError):
        return f"there is no folder {folder}" if not folder.exists() else "is the path right?"
    return did_you_mean(FilePath(file).name, names) or f"is the path right? It is looked for in {folder}"


def hidden(text: str) -> str:
    """An env file's text without its values: any of them may be secret, and lines that are no `KEY=value` part of one."""
    return re.sub(
        r"(?m)^(\s*(?:export\s+)?[A-Za-z_][\w.-]{0,63}\s*[=:])?(.*)$", lambda it: (it[1] or "") + (MASK if it[2] else ""), text
    )


def _is_file(file: FilePath) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a folder that may not be looked into, or no name that a file can have
        return False


def exists(file: str) -> bool:
    try:
        return FilePath(file).exists()
    except (OSError, ValueError):
        return True  # whatever it is: reading it says what is wrong

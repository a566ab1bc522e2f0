"""TAB after `%defang` and `%%compose`: the tree's candidates, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from defang_nb.commands.app import APP
from defang_nb.commands.complete import complete, complete_options
from defang_nb.commands.words import Complete, Face
from defang_nb.errors import DefangError
from defang_nb.notebook.cells import Cells
from defang_nb.notebook.compose_place import Place, names_of, place

_LINE = re.compile(r"^\s*(?:[\w.,\s]+=\s*)?%defang\s(?P<rest>.*)$")
_APP = re.compile(r"^\s*%%?app\s(?P<rest>.*)$")
_WORD = re.compile(r"[A-Za-z_][\w.-]*")


Found = tuple[Iterable[str], str]
"""What may stand at the cursor, and what of it is there already."""
Variables = Callable[[], dict[str, Any]]


def matcher(completer: Any, cells: Cells, stack: Callable[[], str], variables: Variables) -> Callable[..., Any]:
    """For `custom_matchers` of the shell's `completer`."""

    def lookup(kind: Complete, begun: str) -> Iterable[str]:
        return known(kind, begun, cells, stack(), variables())

    def candidates(cell: str, row: int, line: str) -> Found | None:
        """None where it is not ours to say; `line` is that of the cursor, number `row`, as far as the cursor."""
        if cell.lstrip().startswith("%%compose") and row > 0:
            return _in_body(cell, row, line)
        found = _LINE.match(line)
        if not found and (app := _APP.match(line)) and row == 0:
            return _app_line(app["rest"], lookup)
        if not found:
            return None
        words, current, begun = _words(found["rest"])
        return complete(words, current, lambda kind: lookup(kind, begun), Face.NOTEBOOK), current

    try:
        return _second(candidates)
    except ImportError:
        return _first(completer, candidates)


def _second(candidates: Callable[[str, int, str], Found | None]) -> Callable[..., Any]:
    """By IPython's second API. Raises `ImportError` where it has none."""
    from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

    @context_matcher(identifier="defang-nb")  # type: ignore[untyped-decorator]
    def defang_matcher(context: CompletionContext) -> dict[str, Any]:
        found = candidates(context.full_text, context.cursor_line, context.text_until_cursor)
        if found is None:
            return {"completions": []}
        return {
            "completions": [SimpleCompletion(text=each, type="defang") for each in found[0]],
            "suppress": True,
            "matched_fragment": found[1],
            "ordered": True,
        }

    return defang_matcher  # type: ignore[no-any-return]


def _first(completer: Any, candidates: Callable[[str, int, str], Found | None]) -> Callable[..., Any]:
    """By the API that IPython had before 8.6, and Colab's has: it knows of the cursor's line only."""

    def defang_matcher(fragment: str) -> list[str]:
        line = completer.text_until_cursor
        offered, current = candidates(line, 0, line) or ((), fragment)
        # Its fragment begins after a `=`, ours with the option.
        before = max(0, len(current) - len(fragment))
        return [each[before:] for each in offered]

    return defang_matcher


def _words(rest: str) -> tuple[list[str], str, str]:
    """The words before the one at the cursor, that one, and what of it is a value that has begun."""
    words = rest.split()
    current = words.pop() if words and not rest.endswith(" ") else ""
    return words, current, current.rpartition("=")[2] if current.startswith("--") else current


def _app_line(rest: str, lookup: Callable[[Complete, str], Iterable[str]]) -> tuple[list[str], str]:
    words, current, begun = _words(rest)
    return complete_options(APP, words, current, lambda kind: lookup(kind, begun), Face.CELL), current


def _in_body(cell: str, row: int, line: str) -> tuple[list[str], str]:
    """In Compose text: what may stand at the cursor; where the rules know of nothing, the cell's own words."""
    lines = cell.splitlines()
    here = place(lines[1:row], line)
    current = re.search(r"[\w.-]*$", line)
    begun = here.begun if here else current.group() if current else ""
    found = _by_rules(here, lines[1:]) if here else []
    if not found and begun:
        found = [word for word in _WORD.findall("\n".join(lines[1:])) if len(word) > 2]
    return [each for each in dict.fromkeys(found) if each.startswith(begun) and each != begun], begun


def _by_rules(here: Place, lines: Sequence[str]) -> list[str]:
    from defang_nb.compose.offers import offer

    offered = offer(here.path)
    names = names_of(lines, offered.names) if offered.names else []
    if offered.names == "services" and len(here.path) > 1:
        names = [each for each in names if each != here.path[1]]
    if here.value:
        return [*names, *offered.values]
    keys = [f"{key}:" for key in offered.keys if key not in here.taken]
    return [*names, *keys] if here.item else [*keys, *(f"{name}:" for name in names)]


def known(kind: Complete, begun: str, cells: Cells, stack: str, variables: dict[str, Any]) -> list[str]:
    """The names of one sort that there are; none where they can't be found out."""
    match kind:
        case Complete.SERVICE:
            kept = cells.find(None)
            return list(kept.project.services) if kept and kept.project else []
        case Complete.VARIABLE:
            return sorted(name for name, value in variables.items() if isinstance(value, str) and not name.startswith("_"))
        case Complete.FILE:
            return _files(begun)
        case Complete.STACK:
            from defang_nb.client.stacks import stack_names

            return stack_names(Path.cwd())
        case Complete.DEPLOYMENT:
            return _asked(lambda api: [each.id for each in api.deployments(stack=stack)])
        case Complete.CONFIG:
            kept = cells.find(None)
            needed = list(kept.project.config_keys()) if kept and kept.project else []
            project = kept.project.name if kept and kept.project else None
            return list(dict.fromkeys([*needed, *_asked(lambda api: api.config_ls(project, stack=stack))]))
    return []


def _asked(question: Callable[[Any], list[str]]) -> list[str]:
    from defang_nb.client import api

    try:
        return question(api)
    except DefangError:
        return []


def _files(begun: str) -> list[str]:
    folder, _, name = begun.rpartition("/")
    place = Path(folder or ("/" if begun.startswith("/") else "."))
    if not place.is_dir():
        return []
    prefix = f"{folder}/" if "/" in begun else ""
    found = sorted(each for each in place.iterdir() if each.name.startswith(name) and (name or not each.name.startswith(".")))
    return [f"{prefix}{each.name}{'/' if each.is_dir() else ''}" for each in found]

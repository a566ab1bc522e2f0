"""Where the cursor is in a `%%compose` cell, and what may stand there: completion by Compose's own rules.

YAML that is being typed can't be parsed yet, so the place is read off the indentation of the lines above.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_KEY = re.compile(r"""(?P<key>[\w.-]+|"[^"]*"|'[^']*')\s*:(?:\s+(?P<value>.*))?$""")
_BLOCK = re.compile(r"^[|>][-+0-9]*\s*(#.*)?$")
_WORD = re.compile(r"[\w.-]*$")


class Place(NamedTuple):
    """`path` are the keys above; `begun` is the word at the cursor, which is a value's when `value`; `item`: after a dash.

    `taken` are the keys that the mapping has above the cursor.
    """

    path: tuple[str, ...]
    begun: str
    value: bool = False
    item: bool = False
    taken: frozenset[str] = frozenset()


class _Level(NamedTuple):
    indent: int
    key: str
    empty: bool


def place(above: Sequence[str], line: str) -> Place | None:
    """`above` are the lines before the cursor's, `line` is that one as far as the cursor. None where nothing can be said."""
    levels: list[_Level] = []
    siblings: dict[int, set[str]] = {}
    block = -1
    for each in above:
        indent = len(each) - len(each.lstrip())
        if not each.strip() or each.lstrip().startswith("#") or (block >= 0 and indent > block):
            continue
        block = -1
        if level := _level(each, levels, siblings):
            levels.append(level)
        found = _KEY.search(each)
        if found and _BLOCK.match(found["value"] or ""):
            block = indent
    if block >= 0:
        return None
    indent, rest, item = _dashes(line, levels, siblings)
    if (found := _KEY.match(rest)) and (found["value"] is not None or rest.endswith(" ")):
        _close(levels, siblings, indent)
        begun = _WORD.search(found["value"] or "")
        return Place((*(each.key for each in levels), found["key"]), begun.group() if begun else "", value=True)
    if not re.fullmatch(r"[\w.-]*", rest):
        return None
    if not item:
        _close(levels, siblings, indent)
    return Place(tuple(each.key for each in levels), rest, item=item, taken=frozenset(siblings.get(indent, ())))


def _level(line: str, levels: list[_Level], siblings: dict[int, set[str]]) -> _Level | None:
    indent, rest, _ = _dashes(line, levels, siblings)
    found = _KEY.match(rest)
    if not found:
        return None
    _close(levels, siblings, indent)
    key = found["key"].strip("\"'")
    siblings.setdefault(indent, set()).add(key)
    return _Level(indent, key, not (found["value"] or "").split("#")[0].strip())


def _dashes(line: str, levels: list[_Level], siblings: dict[int, set[str]]) -> tuple[int, str, bool]:
    """Past the line's dashes: the indentation there, the rest, whether there were any. Each begins a new item."""
    indent = len(line) - len(line.lstrip())
    rest, item = line[indent:], False
    while rest == "-" or rest.startswith("- "):
        # A list's dashes may stand right below the key that they belong to.
        while levels and (levels[-1].indent > indent or (levels[-1].indent == indent and not levels[-1].empty)):
            levels.pop()
        _forget(siblings, indent + 1)
        inner = rest[1:].lstrip()
        indent += len(rest) - len(inner)
        rest, item = inner, True
    return indent, rest, item


def _close(levels: list[_Level], siblings: dict[int, set[str]], indent: int) -> None:
    while levels and levels[-1].indent >= indent:
        levels.pop()
    _forget(siblings, indent + 1)


def _forget(siblings: dict[int, set[str]], indent: int) -> None:
    for each in [each for each in siblings if each >= indent]:
        del siblings[each]


def names_of(lines: Sequence[str], section: str) -> list[str]:
    """The names that stand in a section of the cell's top level: what is right below `section:`."""
    found: list[str] = []
    inside, indent = False, 0
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            inside, indent = line.rstrip().rstrip(":") == section, 0
        elif inside and (match := _KEY.match(line.strip())):
            indent = indent or depth
            if depth == indent:
                found.append(match["key"].strip("\"'"))
    return found

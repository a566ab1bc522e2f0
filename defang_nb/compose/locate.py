"""Where in the source a part of a scalar stands: its value alone doesn't say, after quotes, folding and block indicators."""

from __future__ import annotations

import re
from collections.abc import Sequence

from defang_nb.model.source import Position

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_PLAIN = re.compile(r"\$")
_ESCAPED = re.compile(r"\\(?P<dollar>x24|u0024|U00000024)|\\.|(?P<plain>\$)")


def dollar(lines: Sequence[str], at: Position, value: str, offset: int) -> Position:
    """The position of the `$` at `offset` of the scalar `value` that begins at `at` of a source's `lines`.

    The n-th `$` of the value is the n-th of the source from there: no style of a scalar adds or swallows one. `at` itself
    when it isn't found: an alias stands for text elsewhere.
    """
    before = value.count("$", 0, offset)
    if not 0 < at.line <= len(lines):
        return at
    line, column = at.line, at.column - 1
    if properties := _PROPERTIES.match(lines[line - 1], column):
        column = properties.end()
    style = lines[line - 1][column : column + 1]
    if style == "*":
        return at
    if style in ("|", ">"):
        line, column = line + 1, 0
    pattern = _ESCAPED if style == '"' else _PLAIN
    for number in range(line, len(lines) + 1):
        for match in pattern.finditer(lines[number - 1], column):
            if pattern is _PLAIN or match["dollar"] or match["plain"]:
                if before == 0:
                    return Position(at.file, number, match.start() + 1)
                before -= 1
        column = 0
    return at

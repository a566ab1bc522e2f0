"""The source line that a finding quotes: without secrets, cut to what fits, with a caret under its column."""

from __future__ import annotations

import unicodedata
from typing import Final

from defang_nb.model.masking import masked

_LEFT: Final = 100
"""Columns up to this one are shown with all that is left of them; for others the line is cut."""
_KEPT: Final = 60
"""How much is kept at the left of the column of a line that is cut."""
_RIGHT: Final = 60
_WINDOW: Final = 4000
_TAB: Final = "    "
_WIDE_SPACE: Final = "\u3000"


def excerpt(line: str, column: int, *, secret: bool = False) -> str:
    """What a diagnostic keeps of `line` (without its end) for a finding at `column`, which counts from 1.

    Likely secrets are masked; `secret` says that the line is part of one. A line whose column is far to the right is cut
    there, and begins with `…`.
    """
    caret = column - 1
    start = max(0, caret - _WINDOW)
    shown = masked(line[start : caret + _WINDOW], caret=caret - start, secret=secret)
    caret -= start
    more = caret + _RIGHT < len(shown) and len(shown) > _LEFT + _RIGHT
    end = max(caret, _LEFT) + _RIGHT if more else len(shown)
    if caret <= _LEFT:
        return shown[:end] + ("…" if end < len(shown) else "")
    return "…" + shown[caret - _KEPT : end] + ("…" if end < len(shown) else "")


def quoted(text: str, column: int) -> tuple[str, str]:
    """(the excerpt as it can be printed, the blanks that put a caret below its column).

    Tabs are spaces, characters that would move a terminal's cursor are `�`, and below wide characters there are wide blanks.
    """
    caret = column - 1 if column - 1 <= _LEFT else _KEPT + 1
    return "".join(map(_shown, text)), "".join(map(_blank, text[:caret])) + " " * (caret - len(text[:caret]))


def printable(text: str) -> str:
    """`text` without what would move a terminal's cursor, or turn the direction of writing; line ends stay."""
    return text if text.isprintable() else "".join(each if each == "\n" else _shown(each) for each in text)


def _shown(letter: str) -> str:
    if letter == "\t":
        return _TAB
    return "\ufffd" if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter != "\u200d" else letter


def _blank(letter: str) -> str:
    if letter == "\t":
        return _TAB
    if unicodedata.combining(letter) or letter == "\u200d" or unicodedata.category(letter) in ("Mn", "Me"):
        return ""
    return _WIDE_SPACE if unicodedata.east_asian_width(letter) in "WF" else " "

"""Variables on a magic's line: `{name}` and `$name` become the variable's text; `{{`, `}}` and `$$` stand for themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import UsageError

_NAME = r"[A-Za-z_]\w*"
_REFERENCE = re.compile(rf"\{{\{{|\}}\}}|\$\$|\{{(?P<braced>{_NAME})\}}|\$(?P<dollar>{_NAME})")


def expand(words: Sequence[str], variables: Mapping[str, Any]) -> tuple[list[str], frozenset[str]]:
    """The words with variables put in, and those of them that changed.

    A word that is nothing but a reference must name a variable (`UsageError`); within a word, what names none stays as it is.
    """
    expanded = [_word(word, variables) for word in words]
    return expanded, frozenset(new for old, new in zip(words, expanded, strict=True) if old != new)


def _word(word: str, variables: Mapping[str, Any]) -> str:
    whole = _REFERENCE.fullmatch(word)
    name = whole and (whole["braced"] or whole["dollar"])
    if name and name not in variables:
        raise UsageError(f"there is no variable {name!r} for {word!r}", hint="write $$ or {{ }} where the sign itself is meant")

    def put(found: re.Match[str]) -> str:
        named = found["braced"] or found["dollar"]
        if named is None:
            return found[0][0]
        return str(variables[named]) if named in variables else found[0]

    return _REFERENCE.sub(put, word)

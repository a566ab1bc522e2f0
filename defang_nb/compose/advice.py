"""What to write instead of a value that has the wrong shape."""

from __future__ import annotations

import re
from collections.abc import Container

from defang_nb.compose.nodes import Map, Node, Seq, Timestamp
from defang_nb.compose.scalars import go_text
from defang_nb.model.masking import is_secret_text


def for_wrong_type(allows: str, value: Node) -> str:
    """A hint for `value`, which is nothing of what `allows` says in words."""
    scalar = not isinstance(value, (Map, Seq))
    if value is None:
        return "give it a value, or remove the key"
    if "KEY=value" in allows and scalar:
        return "write KEY: value, or a list: `- KEY=value` on lines of their own"
    if scalar and "list" in allows and ("string" not in allows or allows.startswith("a list")):
        return f"write it as a list: {_as_list(value)}"
    if "string" in allows and isinstance(value, (bool, int, float, Timestamp)):
        return "put the value in quotes"
    if "list" in allows and scalar:
        return f"write it as a list: {_as_list(value)}"
    if "mapping" in allows:
        return "write it as a mapping: `key: value` on lines of their own, indented, or {key: value}"
    if "string" in allows:
        return "write one value, in quotes where it has signs of YAML in it"
    return f"write {allows}"


def _as_list(value: Node) -> str:
    """A list of that one value, unless the value is long or may be secret."""
    text = go_text(value)
    if isinstance(value, bool) or not re.fullmatch(r"[\w./:@+-]{1,30}", text) or is_secret_text(text):
        return "`- value` on a line of its own, or [value]"
    return f'["{text}"]'


def for_missing_space(value: Node, keys: Container[str]) -> str:
    """A hint for `image:nginx`, which YAML reads as a text; "" for all else."""
    match = re.match(r"([\w-]+):\S", value) if isinstance(value, str) else None
    return f"put a space after the colon: `{match[1]}: …`" if match and match[1] in keys else ""

"""Plain values → YAML text, as `docker compose config` lays it out. The libraries' writers take longer than the loading does.

Text is written plain only where no reader of YAML 1.1 or 1.2 can take it for anything else; else in double quotes, whose
escapes are JSON's (YAML 1.2, section 5.7), or as a block where it has lines.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

_PLAIN: Final = re.compile(
    r"""(?:[A-Za-z_/]|\./|\$\$)     # begins like a word or a path: no number, date, indicator
        (?:[\w./+=%$@{}()*^~;<>|?!,\\"'\[\]-]|:(?=[^\s:])|[ ](?=[^\s\#:]))*""",
    re.VERBOSE | re.ASCII,
)
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""What some reader takes for no text, whatever the case of its letters."""

_SPECIAL: Final = re.compile("[\x7f-\x9f\ufeff\ufffe\uffff\u2028\u2029\ud800-\udfff]")
_NOT_IN_BLOCK: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff\u2028\u2029\ud800-\udfff]")


def yaml_text(value: Any) -> str:
    """`value` (mappings with text keys, lists, text, numbers, booleans, None) as one YAML document."""
    if isinstance(value, dict) and value:
        lines = _mapping(value, "")
    elif isinstance(value, list) and value:
        lines = _sequence(value, "")
    else:
        lines = iter([_scalar(value, "")])
    return "\n".join([*lines, ""])


def json_text(value: Any) -> str:
    """`value` as JSON that readers of YAML take for the same: letters that end lines there are written as escapes."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return _SPECIAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _mapping(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, each in value.items():
        if isinstance(each, dict) and each:
            yield f"{indent}{_text(key)}:"
            yield from _mapping(each, f"{indent}  ")
        elif isinstance(each, list) and each:
            yield f"{indent}{_text(key)}:"
            yield from _sequence(each, f"{indent}  ")
        else:
            yield f"{indent}{_text(key)}: {_scalar(each, indent)}"


def _sequence(value: list[Any], indent: str) -> Iterator[str]:
    for each in value:
        if isinstance(each, (dict, list)) and each:
            inner = f"{indent}  "
            lines = _mapping(each, inner) if isinstance(each, dict) else _sequence(each, inner)
            yield f"{indent}- {next(lines)[len(inner) :]}"
            yield from lines
        else:
            yield f"{indent}- {_scalar(each, indent)}"


def _scalar(value: Any, indent: str) -> str:
    match value:
        case str():
            return _block(value, f"{indent}  ") if "\n" in value and _fits_block(value) else _text(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case dict():
            return "{}"
        case _:
            return "[]"


def _float(value: float) -> str:
    if math.isfinite(value):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _fits_block(value: str) -> bool:
    """Whether it can be a block as it is: its first line begins with a character, and at most one line end is at its end."""
    return not (value[0].isspace() or value.endswith("\n\n") or _NOT_IN_BLOCK.search(value))


def _block(value: str, indent: str) -> str:
    lines = value.removesuffix("\n").split("\n")
    return "\n".join(["|" if value.endswith("\n") else "|-", *(f"{indent}{line}" if line else "" for line in lines)])

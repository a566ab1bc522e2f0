"""Scalars as the reference's YAML library (go-yaml v3) reads them, and as Go prints them.

`yes`, `no`, `on`, `off` are strings; `22:22` is a string; `017`, `0o17`, `0xf`, `0b1111`, `1_5` are integers.
"""

from __future__ import annotations

import re
import struct

from defang_nb.compose.nodes import Node, Timestamp

_WORDS: dict[str, Node] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?:(?:[tT]|\s+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?\s*(?:[zZ]|[-+]\d{1,2}(?::?\d\d)?)?)?"
)
_NUMERIC = frozenset("+-.0123456789")
_MAX_INTEGER = 2**64
_LONGEST_INTEGER = 100


def resolve(text: str) -> Node:
    """The value of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _DATE.fullmatch(text):
        return Timestamp(text)
    digits = text.replace("_", "")
    if len(digits) <= _LONGEST_INTEGER and (match := _INTEGER.fullmatch(digits)):
        sign, hexadecimal, binary, octal, decimal = match.groups()
        number = int(hexadecimal, 16) if hexadecimal else int(binary, 2) if binary else int(octal, 8) if octal else int(decimal)
        if number < _MAX_INTEGER:
            return -number if sign == "-" else number
    if _FLOAT.fullmatch(digits):
        real = float(digits)
        return text if real in (float("inf"), float("-inf")) else real  # as the reference does with what it can't hold
    return text


def go_text(value: Node) -> str:
    """A scalar as Go prints it (`%v`): `true`, `1.1`, `1e+21`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_float(value)
    return value if isinstance(value, str) else str(value)


def shortest_single(value: float) -> float:
    """The shortest decimal that is `value` in single precision, as Go prints a float32; `value` itself if too large."""
    try:
        single = struct.pack("f", value)
    except OverflowError:
        return value
    return next(
        short for digits in range(1, 18) if struct.pack("f", short := float(f"{value:.{digits}g}")) == single or digits == 17
    )


def _go_float(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    return re.sub(r"e([-+]?)(\d)$", lambda match: f"e{match[1] or '+'}0{match[2]}", text)

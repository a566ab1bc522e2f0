"""What may stand at a place of a Compose file. Each kind checks a value, notes what is wrong, and gives its canonical form.

The table in `spec` is made of these; what is refused is dropped, so that everything after works on sound values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from defang_nb.compose import units
from defang_nb.compose.nodes import Map, Node, Path, Seq, Timestamp, show
from defang_nb.compose.problems import Problems, did_you_mean
from defang_nb.compose.scalars import go_text
from defang_nb.model.source import Position


@dataclass(frozen=True)
class Context:
    """Where values are read: findings go to `problems`; relative paths start at `base`, and `~` is `home`."""

    problems: Problems
    base: str
    home: str

    def refuse(self, code: str, message: str, at: Position | None, path: Path, hint: str = "") -> Node:
        self.problems.error(code, message, at, path, hint)
        return DROP


class _Drop:
    """Stands for a value that was refused."""


DROP = _Drop()


class Kind(Protocol):
    """`allows` says in words what may stand there."""

    @property
    def allows(self) -> str: ...

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node: ...


def shown(value: Node) -> str:
    """A value in words, for messages; strings are not quoted back, since they may be secret."""
    match value:
        case None:
            return "empty"
        case bool():
            return f"a boolean ({go_text(value)})"
        case int() | float():
            return f"a number ({go_text(value)})"
        case Timestamp():
            return "a date"
        case str():
            return "a string"
        case Map():
            return "a mapping"
    return "a list"


def wrong_type(kind_allows: str, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
    hint = ""
    if value is None:
        hint = "give it a value, or remove the key"
    elif "string" in kind_allows and isinstance(value, (bool, int, float, Timestamp)):
        hint = "put the value in quotes"
    elif "list" in kind_allows and not isinstance(value, (Map, Seq)):
        hint = "write it as a list: `- value` on a line of its own, or [value]"
    return ctx.refuse("wrong-type", f"{show(path)} must be {kind_allows}, but it is {shown(value)}", at, path, hint)


@dataclass(frozen=True)
class Any_:  # noqa: N801 - `Any` is taken
    """Whatever it is: extensions."""

    allows: str = "anything"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        return value


@dataclass(frozen=True)
class Str:
    """A string; one of `choices` if there are any; matching `pattern` somewhere if there is one."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    allows: str = "a string"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, str) or type(value) is Timestamp:
            return wrong_type(self.allows, value, at, path, ctx)
        if self.choices and value not in self.choices:
            message = f"{show(path)} must be one of {', '.join(self.choices)}"
            return ctx.refuse("wrong-value", message, at, path, did_you_mean(value, self.choices))
        if self.pattern and not re.search(self.pattern, value):
            return ctx.refuse("wrong-value", f"{show(path)} has a value that is not known here", at, path)
        return value


@dataclass(frozen=True)
class Scalar:
    """A string or number (or more, by `types`), kept as text, printed as Go would; `null` is what nothing becomes."""

    types: tuple[type, ...] = (str, int, float)
    null: str | None = None
    allows: str = "a string or number"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str) and type(value) is not Timestamp:
            return value
        if value is None and type(None) in self.types:
            return self.null
        if type(value) in self.types:
            return go_text(value)
        return wrong_type(self.allows, value, at, path, ctx)


_BOOLEANS = {"true": True, "false": False}
_OLD_BOOLEANS = {"y": True, "yes": True, "on": True, "n": False, "no": False, "off": False}


@dataclass(frozen=True)
class Bool:
    allows: str = "a boolean (true or false)"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return wrong_type(self.allows, value, at, path, ctx)
        word = value.lower()
        if word in _OLD_BOOLEANS:
            meant = go_text(_OLD_BOOLEANS[word])
            ctx.problems.warn(
                "old-boolean", f'"{value}" is no boolean in YAML 1.2; it is read as {meant}', at, path, f"write {meant}"
            )
            return _OLD_BOOLEANS[word]
        if word not in _BOOLEANS:
            return ctx.refuse("wrong-value", f"{show(path)} must be {self.allows}", at, path)
        return _BOOLEANS[word]


@dataclass(frozen=True)
class Int:
    """An integer, or a string that is one."""

    minimum: int | None = None
    maximum: int | None = None
    words: Mapping[str, int] = field(default_factory=dict)
    allows: str = "an integer"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str) and type(value) is not Timestamp:
            if value in self.words:
                return self.words[value]
            if not re.fullmatch(r"[-+]?\d+", value):
                return ctx.refuse("wrong-value", f"{show(path)} must be {self.allows}", at, path)
            value = int(value)
        if isinstance(value, float) and value == value // 1:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return wrong_type(self.allows, value, at, path, ctx)
        if self.minimum is not None and value < self.minimum:
            return ctx.refuse("wrong-value", f"{show(path)} must be at least {self.minimum}", at, path)
        if self.maximum is not None and value > self.maximum:
            return ctx.refuse("wrong-value", f"{show(path)} must be at most {self.maximum}", at, path)
        return value


@dataclass(frozen=True)
class Number:
    """A number, or a string that is one."""

    allows: str = "a number"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str) and type(value) is not Timestamp:
            if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value):
                return ctx.refuse("wrong-value", f"{show(path)} must be {self.allows}", at, path)
            return float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return wrong_type(self.allows, value, at, path, ctx)
        return value


@dataclass(frozen=True)
class Size:
    """Bytes, with or without a unit (powers of 1024); canonical as the reference prints them: a string of digits."""

    numbers: bool = True
    allows: str = "a size such as 512m or 1.5gb"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if self.numbers and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return str(int(value))
        if not isinstance(value, str) or type(value) is Timestamp:
            return wrong_type(self.allows, value, at, path, ctx)
        size = units.size_in_bytes(value)
        if size is None:
            return ctx.refuse("wrong-value", f"{show(path)} must be {self.allows}", at, path, "units are b, k, m, g, t, p")
        return str(size)


@dataclass(frozen=True)
class Duration:
    allows: str = "a duration such as 10s or 1m30s"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, str) or type(value) is Timestamp:
            hint = f'write "{value}s" for seconds' if isinstance(value, int) and not isinstance(value, bool) else ""
            return ctx.refuse("wrong-type", f"{show(path)} must be {self.allows}, but it is {shown(value)}", at, path, hint)
        length = units.nanoseconds(value)
        if length is None:
            return ctx.refuse("wrong-value", f"{show(path)} must be {self.allows}", at, path, "units are us, ms, s, m, h, d, w")
        return units.show_duration(length)

"""What may stand at a place of a Compose file. Each kind checks a value, notes what is wrong, and gives its canonical form.

The table in `spec` is made of these; what is refused is dropped, so that everything after works on sound values.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from defang_nb.compose import advice, units
from defang_nb.compose.nodes import Map, Node, Path, Timestamp, show
from defang_nb.compose.problems import Problems, did_you_mean
from defang_nb.compose.scalars import go_text, shortest_single
from defang_nb.model.masking import is_secret_text
from defang_nb.model.source import Position


@dataclass(frozen=True)
class Context:
    """Where values are read: findings go to `problems`; relative paths start at `base`, and `~` is `home`.

    `below` is what is read for the same project before, which is overridden. `raw`: variables were left as they stand, and
    so is every text that may hold one.
    """

    problems: Problems
    base: str
    home: str
    below: tuple[Map, ...] = ()
    raw: bool = False

    def is_template(self, value: Node) -> bool:
        """Whether what `value` is depends on a variable that was left as it stands."""
        return self.raw and isinstance(value, str) and "$" in value

    def is_below(self, path: Path) -> bool:
        """Whether what is overridden has something at `path`."""
        return path != () and any(_at(each, path) is not _ABSENT for each in self.below)

    def text_below(self, path: Path) -> str:
        """The text there in what is overridden; "" for none."""
        return next((found for each in self.below if isinstance(found := _at(each, path), str)), "")

    def refuse(self, code: str, message: str, at: Position | None, path: Path, hint: str) -> Node:
        """Note it, unless something was found wrong with that very value before."""
        if path not in self.problems.broken:
            self.problems.error(code, message, at, path, hint)
        return DROP


def _at(node: Node, path: Path) -> Node:
    for part in path:
        if not isinstance(node, Map) or part not in node:
            return _ABSENT
        node = node[str(part)]
    return node


_ABSENT = object()


_TOO_LARGE = 2**63
_LARGEST_SINGLE = float(2**128)
_LONGEST_INTEGER = 100


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


def said(value: str) -> str:
    """A string's own words, for messages; not those of one that may be secret, or is long."""
    return "another string" if len(value) > 60 or is_secret_text(value) else f'"{value}"'


def wrong_type(kind_allows: str, value: Node, at: Position | None, path: Path, ctx: Context, hint: str = "") -> Node:
    message = f"{show(path)} must be {kind_allows}, but it is {shown(value)}"
    return ctx.refuse("wrong-type", message, at, path, hint or advice.for_wrong_type(kind_allows, value))


def is_text(value: Node) -> bool:
    """Whether it is a string, and no unquoted date."""
    return isinstance(value, str) and type(value) is not Timestamp


@dataclass(frozen=True)
class Any_:  # noqa: N801 - `Any` is taken
    """Whatever it is: extensions."""

    allows: str = "anything"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        return value


@dataclass(frozen=True)
class Str:
    """A string; one of `choices` if there are any; matching `pattern` somewhere if there is one, such as those of `near`.

    `instead` is the hint for what is no string.
    """

    choices: tuple[str, ...] = ()
    pattern: str = ""
    allows: str = "a string"
    near: tuple[str, ...] = ()
    instead: str = ""

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, str) or type(value) is Timestamp:
            return wrong_type(self.allows, value, at, path, ctx, self.instead)
        if self.choices and value not in self.choices:
            message = f"{show(path)} must be one of {', '.join(self.choices)}, but it is {said(value)}"
            hint = did_you_mean(value, self.choices) or f"write {self.choices[0]}, or another of them"
            return ctx.refuse("wrong-value", message, at, path, hint)
        if self.pattern and not re.search(self.pattern, value):
            message = f"{show(path)} must be {self.allows}, but it is {said(value)}"
            hint = did_you_mean(value, self.near) or f"write {self.allows}"
            return ctx.refuse("wrong-value", message, at, path, hint)
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
    """A boolean; unless it is `strict`, a string that is one will do."""

    strict: bool = False
    allows: str = "a boolean (true or false)"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, bool) or (ctx.raw and is_text(value) and not self.strict):
            return value
        if not isinstance(value, str) or self.strict:
            return wrong_type(self.allows, value, at, path, ctx)
        word = value.lower()
        if word in _OLD_BOOLEANS:
            meant = go_text(_OLD_BOOLEANS[word])
            ctx.problems.warn(
                "old-boolean", f'"{value}" is no boolean in YAML 1.2; it is read as {meant}', at, path, f"write {meant}"
            )
            return _OLD_BOOLEANS[word]
        if word not in _BOOLEANS:
            message = f"{show(path)} must be {self.allows}, but it is {said(value)}"
            return ctx.refuse("wrong-value", message, at, path, "write true or false")
        return _BOOLEANS[word]


@dataclass(frozen=True)
class Int:
    """An integer, or a string that is one (unless it is `strict`); `cut`: any number, without its fraction.

    `whole`: 2.0 is none. Without `zero`, none is as good as not given.
    """

    minimum: int | None = None
    maximum: int | None = None
    strict: bool = False
    cut: bool = False
    whole: bool = False
    zero: bool = True
    words: Mapping[str, int] = field(default_factory=dict)
    allows: str = "an integer"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if ctx.is_template(value):
            return value
        if isinstance(value, str) and type(value) is not Timestamp and not self.strict:
            if value.lower() in self.words:
                return self.words[value.lower()]
            if not re.fullmatch(r"[-+]?[0-9]+", value):
                message = f"{show(path)} must be {self.allows}, but it is {said(value)}"
                hint = did_you_mean(value, self.words) or "write a whole number, such as 1"
                return ctx.refuse("wrong-value", message, at, path, hint)
            value = int(value) if len(value) < _LONGEST_INTEGER else _TOO_LARGE
        if isinstance(value, float) and not self.whole and (value == value // 1 or (self.cut and math.isfinite(value))):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return wrong_type(self.allows, value, at, path, ctx)
        if abs(value) >= _TOO_LARGE:
            hint = "it has to fit in 64 bits"
            return ctx.refuse("wrong-value", f"{show(path)} is too large a number", at, path, hint)
        if self.minimum is not None and value < self.minimum:
            message = f"{show(path)} must be at least {self.minimum}, but it is {value}"
            return ctx.refuse("wrong-value", message, at, path, f"write {self._range()}")
        if self.maximum is not None and value > self.maximum:
            message = f"{show(path)} must be at most {self.maximum}, but it is {value}"
            return ctx.refuse("wrong-value", message, at, path, f"write {self._range()}")
        return value if value or self.zero else DROP

    def _range(self) -> str:
        low = f"{self.minimum}" if self.minimum is not None else ""
        return f"a number from {low} to {self.maximum}" if self.maximum is not None else f"{low} or more"


@dataclass(frozen=True)
class Number:
    """A number, or a string that is one (unless it is `strict`); `single`: kept with single precision."""

    strict: bool = False
    single: bool = False
    allows: str = "a number"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = value if ctx.is_template(value) else self._read(value, at, path, ctx)
        return shortest_single(read) if self.single and isinstance(read, float) else read

    def _most(self) -> float:
        return _LARGEST_SINGLE if self.single else sys.float_info.max

    def _read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str) and type(value) is not Timestamp and not self.strict:
            if (
                not re.fullmatch(r"[-+]?([0-9](_?[0-9])*(\.([0-9](_?[0-9])*)?)?|\.[0-9](_?[0-9])*)([eE][-+]?[0-9]+)?", value)
                or abs(float(value)) > self._most()
            ):
                message = f"{show(path)} must be {self.allows}, but it is {said(value)}"
                return ctx.refuse("wrong-value", message, at, path, "write a number, such as 0.5")
            return float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return wrong_type(self.allows, value, at, path, ctx)
        return value


@dataclass(frozen=True)
class Size:
    """Bytes, with or without a unit (powers of 1024); canonical as the reference prints them: a string of digits.

    `numbers`: without a unit it may also be a number; `whole`: only an integer. The reference takes numbers that YAML reads as
    no integers (1e9), and forgets them.
    """

    numbers: bool = True
    whole: bool = False
    allows: str = "a size such as 512m or 1.5gb"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if self.numbers and isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LARGE:
            return str(value)
        if self.numbers and isinstance(value, float) and math.isfinite(value) and not (self.whole and value != int(value)):
            message = f"{show(path)} is no integer, so Compose takes no notice of it"
            ctx.problems.warn("ignored", message, at, path, f'write {int(value)}, or a unit: "512m"')
            return DROP
        if not isinstance(value, str) or type(value) is Timestamp:
            return wrong_type(self.allows, value, at, path, ctx)
        if ctx.raw:
            return value
        size = units.size_in_bytes(value)
        if size is None:
            message = f"{show(path)} must be {self.allows}, but it is {said(value)}"
            return ctx.refuse("wrong-value", message, at, path, "units are b, k, m, g, t, p")
        return str(size)


@dataclass(frozen=True)
class Duration:
    """A length of time; canonical as Go prints it. Without `zero`, none is as good as not given."""

    zero: bool = True
    allows: str = "a duration such as 10s or 1m30s"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, str) or type(value) is Timestamp:
            number = isinstance(value, int) and not isinstance(value, bool)
            hint = f'write "{value}s" for seconds' if number else "write a number with its unit, such as 10s"
            return ctx.refuse("wrong-type", f"{show(path)} must be {self.allows}, but it is {shown(value)}", at, path, hint)
        if ctx.raw:
            return value
        length = units.nanoseconds(value)
        if length is None:
            message = f"{show(path)} must be {self.allows}, but it is {said(value)}"
            return ctx.refuse("wrong-value", message, at, path, "units are us, ms, s, m, h, d, w")
        return units.show_duration(length) if length or self.zero else DROP

"""What may stand at a place of a Compose file. Each kind checks a value, notes what is wrong, and gives its canonical form.

The table in `spec` is made of these; what is refused is dropped, so that everything after works on sound values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from defang_nb.compose import units, words
from defang_nb.compose.nodes import Map, Node, Path, Seq, Timestamp, show, split_text
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


@dataclass(frozen=True)
class Nullable:
    """Nothing (kept as `null`), or what `kind` allows."""

    kind: Kind
    null: Node = None

    @property
    def allows(self) -> str:
        return f"{self.kind.allows}, or empty"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        return self.null if value is None else self.kind.read(value, at, path, ctx)


@dataclass(frozen=True)
class ListOf:
    """A list of `item`; `single`: one alone may stand for itself."""

    item: Kind
    single: bool = False

    @property
    def allows(self) -> str:
        return f"{self.item.allows} or a list of them" if self.single else f"a list, each item {self.item.allows}"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, Seq):
            if self.single and at and value is not None and not (isinstance(value, Map) and not isinstance(self.item, Struct)):
                only = self.item.read(value, at, path, ctx)
                return DROP if only is DROP else Seq.of(at, [only])
            return wrong_type(self.allows, value, at, path, ctx)
        made = Seq(value.at)
        for index, (item, item_at) in enumerate(value.pairs()):
            read = self.item.read(item, item_at, (*path, index), ctx)
            if read is not DROP:
                made.add(read, item_at)
        return made


@dataclass(frozen=True)
class MapOf:
    """A mapping of any names (that match `names`) to `item`; `what` is what a name names."""

    item: Kind
    names: str = ""
    what: str = "name"

    @property
    def allows(self) -> str:
        return "a mapping"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, Map):
            return wrong_type(self.allows, value, at, path, ctx)
        for key in list(value):
            here = (*path, key)
            if self.names and not re.fullmatch(self.names, key):
                hint = "it may have letters, digits, dots, dashes and underscores"
                ctx.problems.error("bad-name", f'"{key}" is no {self.what}', value.key_at(key), here, hint)
                del value[key]
                continue
            read = self.item.read(value[key], value.value_at(key), here, ctx)
            if read is DROP:
                del value[key]
            else:
                value[key] = read
        return value


@dataclass(frozen=True)
class Struct:
    """A mapping with known keys; `x-…` keys may hold anything. `required` keys have to be there."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    what: str = ""

    @property
    def allows(self) -> str:
        return "a mapping"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, Map):
            return wrong_type(self.allows, value, at, path, ctx)
        fields = self.fields
        for key in list(value):
            kind = fields.get(key)
            if kind is None:
                if not key.startswith("x-"):
                    self._unknown(key, value, path, ctx)
                continue
            read = kind.read(value[key], value.value_at(key), (*path, key), ctx)
            if read is DROP:
                del value[key]
            elif read is not value[key]:
                value[key] = read
        for key in self.required:
            if key not in value and not ctx.problems.is_broken((*path, key)):
                ctx.problems.error("missing-key", f'{show(path)} needs "{key}"', at, (*path, key), f"add `{key}:`")
        return value

    def _unknown(self, key: str, value: Map, path: Path, ctx: Context) -> None:
        place = show(path) or "a Compose file"
        hint = did_you_mean(key, self.fields)
        if not hint:
            hint = "a key of your own begins with x-" if len(self.fields) > 12 else f"known here: {', '.join(self.fields)}"
        ctx.problems.error("unknown-key", f'unknown key "{key}" in {place}', value.key_at(key), (*path, key), hint)
        del value[key]


@dataclass(frozen=True)
class KeyValues:
    """`KEY: value` or a list of `KEY=value`; canonical: a mapping to text. `null` is what a key without value becomes."""

    null: str | None = None
    separators: str = "="
    allows: str = "a mapping, or a list of KEY=value strings"
    value: Scalar = Scalar((str, int, float, bool, type(None)), None, "a string, number, boolean or empty")

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, Map):
            for key in list(value):
                item = value[key]
                if type(item) is str:
                    continue
                read = self.value.read(item, value.value_at(key), (*path, key), ctx)
                if read is DROP:
                    del value[key]
                else:
                    value[key] = self.null if read is None else read
            return value
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx)
        made = Map(value.at)
        for index, (item, item_at) in enumerate(value.pairs()):
            if not isinstance(item, str) or type(item) is Timestamp:
                hint = "write KEY=value" if isinstance(item, Map) else ""
                message = f"{show((*path, index))} must be a string KEY=value, but it is {shown(item)}"
                ctx.refuse("wrong-type", message, item_at, (*path, index), hint)
                continue
            key, text = split_text(item, "=")
            made.put(key, self.null if text is None else text, value, index)
        return made


@dataclass(frozen=True)
class Command:
    """A string, cut into words as a shell would, or a list of words; nothing means the image's own."""

    allows: str = "a string, or a list of strings"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if value is None:
            return None
        if isinstance(value, str) and at and type(value) is not Timestamp:
            try:
                return Seq.of(at, words.split(value))
            except words.WordsError as problem:
                return ctx.refuse("wrong-value", f"{show(path)} can't be cut into words: {problem}", at, path)
        if isinstance(value, Seq):
            return ListOf(Str()).read(value, at, path, ctx)
        return wrong_type(self.allows, value, at, path, ctx)


def fields_of(value: Map, like: Node, **given: Any) -> Map:
    """`value` with `given` put in; all stand where `like` stands."""
    for key, each in given.items():
        value[key] = each
        at = like.at if isinstance(like, (Map, Seq)) else like
        if isinstance(at, Position):
            value.keys_at[key] = value.values_at[key] = at
    return value

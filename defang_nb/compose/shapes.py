"""Kinds made of other kinds: lists, mappings, known keys, and the forms that stand for either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from defang_nb.compose import advice, words
from defang_nb.compose.kinds import DROP, Context, Kind, Scalar, Str, shown, wrong_type
from defang_nb.compose.nodes import Map, Node, Path, Seq, Timestamp, show, split_text
from defang_nb.compose.problems import did_you_mean
from defang_nb.model.source import Position


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
    """A list of `item`; `single`: one alone may stand for itself; `once`: no item may be there twice.

    `late`: while variables are left as they stand, one alone is, too.
    """

    item: Kind
    single: bool = False
    once: bool = False
    late: bool = False

    @property
    def allows(self) -> str:
        return f"{self.item.allows} or a list of them" if self.single else f"a list, each item {self.item.allows}"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, Seq):
            if self.single and at and value is not None and not (isinstance(value, Map) and not isinstance(self.item, Struct)):
                only = self.item.read(value, at, path, ctx)
                return only if only is DROP or (self.late and ctx.raw) else Seq.of(at, [only])
            return wrong_type(self.allows, value, at, path, ctx)
        if self.once:
            refuse_repeated(value, path, ctx)
        made = Seq(value.at)
        for index, (item, item_at) in enumerate(value.pairs()):
            read = self.item.read(item, item_at, (*path, index), ctx)
            if read is not DROP:
                made.add(read, item_at)
        return made


def refuse_repeated(items: Seq, path: Path, ctx: Context) -> None:
    """Note each of the scalars in `items` that was there before."""
    seen = set()
    for index, (item, at) in enumerate(items.pairs()):
        if isinstance(item, (Map, Seq)):
            continue
        if (type(item), item) in seen:
            ctx.refuse("repeated", f"{show((*path, index))} is given twice", at, (*path, index), "keep one")
        seen.add((type(item), item))


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
    """A mapping with known keys; `x-…` keys may hold anything, unless it is `closed`. `required` keys have to be there.

    `lenient`: what is unknown is ignored, with a warning. `defaults` are what keys are that are not there.
    """

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    lenient: bool = False
    closed: bool = False
    defaults: Mapping[str, Node] = field(default_factory=dict)

    @property
    def allows(self) -> str:
        return "a mapping"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        fields = self.fields
        if not isinstance(value, Map):
            return wrong_type(self.allows, value, at, path, ctx, advice.for_missing_space(value, fields))
        for key in list(value):
            kind = fields.get(key)
            if kind is None:
                if self.closed or self.lenient or not key.startswith("x-"):
                    self._unknown(key, value, path, ctx)
                continue
            read = kind.read(value[key], value.value_at(key), (*path, key), ctx)
            if read is DROP:
                del value[key]
            elif read is not value[key]:
                value[key] = read
        for key in self.required:
            if key not in value and not ctx.problems.is_broken((*path, key)) and not ctx.is_below((*path, key)):
                ctx.problems.error("missing-key", f'{show(path)} needs "{key}"', at, (*path, key), f"add `{key}:`")
        for key, default in self.defaults.items():
            if key not in value:
                fields_of(value, at, **{key: default})
        return value

    def _unknown(self, key: str, value: Map, path: Path, ctx: Context) -> None:
        place = show(path) or "a Compose file"
        hint = did_you_mean(key, self.fields)
        if not path and isinstance(inside := value[key], Map) and ("image" in inside or "build" in inside):
            hint = f"a service stands under `services:`: write that above it, and indent `{key}:` and all below it"
        if not hint:
            hint = "a key of your own begins with x-" if len(self.fields) > 12 else f"known here: {', '.join(self.fields)}"
        if not self.lenient:
            ctx.problems.error("unknown-key", f'unknown key "{key}" in {place}', value.key_at(key), (*path, key), hint)
        elif not key.startswith("x-"):
            message = f'unknown key "{key}" in {place} is ignored'
            ctx.problems.warn("unknown-key", message, value.key_at(key), (*path, key), hint)
        del value[key]


_VALUE: Final = Scalar((str, int, float, bool, type(None)), None, "a string, number, boolean or empty")


@dataclass(frozen=True)
class KeyValues:
    """`KEY: value` or a list of `KEY=value`; canonical: a mapping to text. `null` is what a key without value becomes.

    `once`: a list may not say the same thing twice; `tight`: nor have keys that end with a space.
    """

    null: str | None = None
    once: bool = False
    tight: bool = False
    allows: str = "a mapping, or a list of KEY=value strings"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if ctx.raw and (isinstance(value, Map) or (isinstance(value, Seq) and all(isinstance(each, str) for each in value))):
            return value
        if isinstance(value, Map):
            for key in list(value):
                item = value[key]
                if type(item) is str and key:
                    continue
                if not key:
                    message = f"{show(path)} has a value without a name"
                    ctx.refuse("bad-name", message, value.key_at(key), (*path, key), "name it, or remove it")
                    del value[key]
                    continue
                read = _VALUE.read(item, value.value_at(key), (*path, key), ctx)
                if read is DROP:
                    del value[key]
                else:
                    value[key] = self.null if read is None else read
            return value
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx)
        if self.once:
            refuse_repeated(value, path, ctx)
        made = Map(value.at)
        made.listed = True
        for index, (item, item_at) in enumerate(value.pairs()):
            if not isinstance(item, str) or type(item) is Timestamp:
                message = f"{show((*path, index))} must be a string KEY=value, but it is {shown(item)}"
                ctx.refuse("wrong-type", message, item_at, (*path, index), "write KEY=value")
                continue
            key, text = split_text(item, "=")
            if self.tight and key[-1:].isspace():
                message = f"{show((*path, index))} has a name with a space at its end"
                ctx.refuse("wrong-value", message, item_at, (*path, index), "write KEY=value, without spaces around the `=`")
                continue
            made.put(key, self.null if text is None else text, value, index)
        return made


@dataclass(frozen=True)
class Command:
    """A string, cut into words as a shell would, or a list of words; nothing means the image's own."""

    allows: str = "a string, or a list of strings"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if value is None or (ctx.raw and isinstance(value, str)):
            return value
        if isinstance(value, str) and at and type(value) is not Timestamp:
            try:
                return Seq.of(at, words.split(value))
            except words.WordsError as problem:
                hint = "write it as a list of words, which needs no quotes of a shell: [program, argument]"
                return ctx.refuse("wrong-value", f"{show(path)} can't be cut into words: {problem}", at, path, hint)
        if isinstance(value, Seq):
            return ListOf(Str()).read(value, at, path, ctx)
        return wrong_type(self.allows, value, at, path, ctx)


def fields_of(value: Map, like: Node, /, **given: Any) -> Map:
    """`value` with `given` put in; all stand where `like` stands."""
    for key, each in given.items():
        value[key] = each
        at = like.at if isinstance(like, (Map, Seq)) else like
        if isinstance(at, Position):
            value.keys_at[key] = value.values_at[key] = at
    return value

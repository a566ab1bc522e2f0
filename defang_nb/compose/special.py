"""Kinds that one key of a service has for itself."""

from __future__ import annotations

from typing import Final

from defang_nb.compose.kinds import DROP, Context, Int, Kind, Scalar, Str, is_text, wrong_type
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.paths import absolute
from defang_nb.compose.shapes import KeyValues, ListOf, Struct
from defang_nb.model.source import Position

_STRINGS: Final = ListOf(Str())
_STRING_OR_LIST: Final = ListOf(Str(), single=True)


class Test(Kind):
    """A health check's test: one string for the shell, or a list that begins with CMD, CMD-SHELL or NONE."""

    allows = "a string, or a list that begins with CMD, CMD-SHELL or NONE"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if is_text(value) and ctx.raw:
            return value
        if is_text(value) and at:
            return Seq.of(at, ["CMD-SHELL", value])
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx)
        read = _STRINGS.read(value, at, path, ctx)
        if isinstance(read, Seq) and read and read[0] not in ("CMD", "CMD-SHELL", "NONE"):
            hint = f"write [CMD, {read[0]}, …], or all in one string"
            return ctx.refuse("wrong-value", f"{show(path)} must begin with CMD, CMD-SHELL or NONE", at, path, hint)
        return read


class Gpus(Kind):
    """`all`, or a list of devices."""

    allows = "`all`, or a list of devices"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if value == "all" and at:
            all_of_them = Map(at)
            all_of_them["count"] = "all" if ctx.raw else -1
            return Seq.of(at, [all_of_them])
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx, "write all, or a list: [{count: 1}]")
        return ListOf(GpuDevice(())).read(value, at, path, ctx)


class GpuDevice(Kind):
    """A device reservation; without a number or ids it means all."""

    allows = "a mapping"

    def __init__(self, required: tuple[str, ...]) -> None:
        self.struct = Struct(
            {
                "capabilities": ListOf(Str(), once=True),
                "count": Int(words={"all": -1}, whole=True),
                "device_ids": ListOf(Str(), once=True),
                "driver": Str(),
                "options": KeyValues("", once=True),
            },
            required=required,
            lenient=not required,
        )

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = self.struct.read(value, at, path, ctx)
        if isinstance(read, Map):
            if "count" in read and "device_ids" in read:
                message = f"{show(path)} has both count and device_ids"
                return ctx.refuse(
                    "exclusive-keys", message, read.key_at("device_ids"), (*path, "device_ids"), "keep one of them"
                )
            if "count" not in read and "device_ids" not in read:
                read["count"] = -1
        return read


class Options(Kind):
    """A provider's option: one value or several, which are laid over each other as such; canonical: a list of texts."""

    allows = "a string, number or boolean, or a list of them"
    _one = Scalar((str, int, float, bool), None, "a string, number or boolean, or a list of them")
    _list = ListOf(_one)

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        return (self._list if isinstance(value, Seq) else self._one).read(value, at, path, ctx)


class Filled(Kind):
    """One string or a list of them, of which the empty ones say nothing."""

    allows = _STRING_OR_LIST.allows

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = _STRING_OR_LIST.read(value, at, path, ctx)
        if not isinstance(read, Seq):
            return read
        made = Seq(read.at)
        for item, item_at in read.pairs():
            if item:
                made.add(item, item_at)
        return made


class SshKeys(Kind):
    """`default`, `id=path`, or a mapping; canonical: a list of `id=path`."""

    allows = KeyValues().allows

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = KeyValues(None, once=True).read(value, at, path, ctx)
        if not isinstance(read, Map):
            return read
        made = Seq(read.at)
        for key in read if isinstance(value, Seq) else ():
            if read[key] is None and key != "default":
                ctx.refuse("wrong-value", f"{show(path)}: {key} has no path", read.keys_at[key], path, f"write {key}=PATH")
        for key, place in read.items():
            made.add(key if not place else f"{key}={absolute(place, ctx.base, ctx.home, windows=True)}", read.keys_at[key])
        return made


class Ignored(Kind):
    """A string that the reference checks, and then does nothing with."""

    allows = "a string"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        Str().read(value, at, path, ctx)
        return DROP


class Umask(Kind):
    """A mask of permission bits: a number (`022` is octal in YAML), or its text; empty says nothing."""

    allows = "a number of permission bits such as 022"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if value is None:
            return DROP
        if isinstance(value, str):
            return Str(pattern=r"^(?:0?[0-7]{1,4}|.*\$.*)$", allows=self.allows).read(value, at, path, ctx)
        return Int(0, 2**32 - 1, allows=self.allows).read(value, at, path, ctx)

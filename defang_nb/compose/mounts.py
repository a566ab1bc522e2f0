"""What is mounted into a service: volumes, devices, configs and secrets, in short and long form."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from defang_nb.compose.kinds import DROP, Bool, Context, Int, Kind, Size, Str, is_text, said, shown, wrong_type
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.paths import absolute, followed
from defang_nb.compose.shapes import KeyValues, ListOf, Struct, fields_of, refuse_repeated
from defang_nb.model.source import Position

_PROPAGATIONS: Final = ("shared", "slave", "private", "rshared", "rslave", "rprivate")


class Mode(Kind):
    """A file mode, written in octal; canonical: `"0444"`."""

    allows = "a file mode such as 0444"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if ctx.raw and isinstance(value, (str, int)) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and re.fullmatch(r"[-+]?[0-7]{1,20}", value):
            value = int(value, 8)
        if isinstance(value, bool) or not isinstance(value, int):
            return wrong_type(self.allows, value, at, path, ctx)
        return f"0{value:o}"


_LONG: Final = Struct(
    {
        "type": Str(("bind", "volume", "tmpfs", "cluster", "npipe", "image")),
        "source": Str(),
        "target": Str(),
        "read_only": Bool(),
        "consistency": Str(),
        "bind": Struct(
            {
                "propagation": Str(),
                "create_host_path": Bool(),
                "recursive": Str(("enabled", "disabled", "writable", "readonly")),
                "selinux": Str(("z", "Z")),
            }
        ),
        "volume": Struct({"labels": KeyValues("", once=True), "nocopy": Bool(), "subpath": Str()}),
        "tmpfs": Struct(
            {
                "size": Size(whole=True),
                "mode": Int(0, 2**32 - 1, strict=True, allows="a file mode such as 0755, without quotes"),
            }
        ),
        "image": Struct({"subpath": Str()}),
    },
    required=("type", "target"),
)


class Volumes(Kind):
    """A list of `source:target:options` or mappings; canonical: mappings with absolute bind sources and clean targets."""

    allows = "a list of volumes"
    long = _LONG

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx)
        made = Seq(value.at)
        for index, (item, item_at) in enumerate(value.pairs()):
            mount = self._one(item, item_at, (*path, index), ctx)
            if isinstance(mount, Map) and isinstance(placed := _placed(mount, (*path, index), ctx), Map):
                made.add(placed, item_at)
        return made

    def _one(self, item: Node, at: Position, path: Path, ctx: Context) -> Node:
        if isinstance(item, Map):
            read = _LONG.read(item, at, path, ctx)
            return read if "type" in item and "target" in item else DROP
        if not is_text(item):
            return wrong_type("a string such as ./data:/data, or a mapping", item, at, path, ctx)
        try:
            return short(item, at)
        except ValueError as problem:
            hint = "write SOURCE:TARGET or SOURCE:TARGET:ro"
            return ctx.refuse("wrong-volume", f"{show(path)}: {said(item)} is no volume: {problem}", at, path, hint)


def _placed(mount: Map, path: Path, ctx: Context) -> Node:
    mount["target"] = re.sub("^//", "/", posixpath.normpath(mount["target"]))
    if mount["type"] == "bind":
        if "source" not in mount:
            if ctx.problems.is_broken(path):
                return DROP
            hint = "add `source: ./folder`"
            return ctx.refuse("missing-key", f'{show(path)} needs "source"', mount.at, (*path, "source"), hint)
        mount["source"] = absolute(mount["source"], ctx.base, ctx.home, windows=True)
    return mount


def _fields(spec: str) -> list[str]:
    """What is between the colons, but for those after a single letter (a Windows drive) and in variables."""
    fields = spec.split(":")
    if "${" not in spec and not any(len(field) == 1 and field.isalpha() for field in fields):
        return fields
    fields, depth = [""], 0
    for index, sign in enumerate(spec):
        depth += spec.startswith("${", index)
        if sign == "}" and depth:
            depth -= 1
        if sign == ":" and not depth and not (len(fields[-1]) == 1 and fields[-1].isalpha()):
            fields.append("")
        else:
            fields[-1] += sign
    return fields


def short(spec: str, at: Position) -> Map:
    """The short form. A single letter before a colon is a Windows drive, as in the reference. Raises ValueError."""
    if not spec:
        raise ValueError("it is empty")
    fields = _fields(spec) if len(spec.encode()) > 2 else [spec]
    if "" in fields:
        raise ValueError("there is nothing between two colons")
    if len(fields) > 3:
        raise ValueError("too many colons")
    mount = Map(at)
    if len(fields) == 1:
        return fields_of(mount, at, type="volume", target=fields[0])
    source, target, *options = fields
    bind = source[0] in "./~" or source.startswith("\\\\") or re.match(r"[^\W\d_]:", source) is not None
    fields_of(mount, at, type="bind" if bind else "volume", source=source, target=target)
    inner: dict[str, Node] = {"create_host_path": True} if bind else {}
    for option in options[0].split(",") if options else ():
        if option == "ro":
            fields_of(mount, at, read_only=True)
        elif option == "nocopy":
            fields_of(mount, at, volume=fields_of(Map(at), at, nocopy=True))
        elif option in ("z", "Z"):
            inner["selinux"] = option
        elif option in _PROPAGATIONS:
            inner["propagation"] = option
    if inner:
        fields_of(mount, at, bind=fields_of(Map(at), at, **inner))
    return mount


_DEVICE: Final = Struct({"source": Str(), "target": Str(), "permissions": Str()}, required=("source", "target"))


class Device(Kind):
    """`/dev/host:/dev/inside:rwm`, or a mapping."""

    allows = "a string such as /dev/a:/dev/b, or a mapping"
    long = _DEVICE

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, Map):
            return _DEVICE.read(value, at, path, ctx)
        if not is_text(value):
            return wrong_type(self.allows, value, at, path, ctx)
        source, *rest = value.split(":")
        if len(rest) > 2:
            hint = "write SOURCE:TARGET:rwm, or a mapping with `source` and `target`"
            return ctx.refuse("wrong-value", f"{show(path)} has too many colons", at, path, hint)
        target = (rest[0] if rest else "") or source
        return fields_of(Map(at), at, source=source, target=target, permissions=rest[1] if len(rest) > 1 else "rwm")


_FILE: Final = Struct({"source": Str(), "target": Str(), "uid": Str(), "gid": Str(), "mode": Mode()}, required=("source",))


class FileRef(Kind):
    """A config or secret given to a service: its name, or a mapping. Secrets have a place by default: `folder`/name."""

    allows = "a name, or a mapping with `source`"
    long = _FILE

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, Map):
            read = _FILE.read(value, at, path, ctx)
        elif is_text(value):
            read = fields_of(Map(at), at, source=value)
        else:
            return wrong_type(self.allows, value, at, path, ctx)
        if isinstance(read, Map) and self.folder and "target" not in read and "source" in read:
            fields_of(read, at, target=f"{self.folder}/{read['source']}")
        return read


class Ulimit(Kind):
    """One number for both limits, or `soft` and `hard`; a 0 is written as both, as the reference prints it."""

    allows = "an integer, or a mapping with soft and hard"

    def __init__(self, *, strict: bool = False) -> None:
        self.single = Int(strict=strict, whole=True, allows=self.allows)
        limit = Int(strict=strict, whole=True)
        self.long = Struct({"soft": limit, "hard": limit}, required=("soft", "hard"))

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, Map):
            return self.long.read(value, at, path, replace(ctx, below=()))
        read = self.single.read(value, at, path, ctx)
        return fields_of(Map(at), at, soft=0, hard=0) if read == 0 else read


class EnvFile(Kind):
    """A path, or a mapping with `path`, `required` and `format`; canonical: the mapping, its path absolute."""

    allows = "a path, or a mapping with `path`"
    long = Struct({"path": Str(), "required": Bool(), "format": Str(("raw", ".env", ""))}, required=("path",))

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if is_text(value):
            value = fields_of(Map(at), at, path=value)
        elif not isinstance(value, Map):
            return wrong_type(self.allows, value, at, path, ctx)
        if self.long.read(value, at, path, ctx) is DROP or "path" not in value:
            return DROP
        value["path"] = absolute(value["path"], ctx.base, ctx.home)
        if ctx.raw and "required" not in value:
            fields_of(value, at, required=True)
        return value


class FilePath(Kind):
    """A path; canonical: absolute. A `real` one has to say something, and its symbolic link is followed."""

    allows = "a path"

    def __init__(self, *, real: bool = False) -> None:
        self.real = real

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not is_text(value):
            return wrong_type(self.allows, value, at, path, ctx)
        if not self.real:
            return absolute(value, ctx.base, ctx.home)
        if not value:
            return ctx.refuse("wrong-value", f"{show(path)} is empty", at, path, "name a folder or file")
        return followed(absolute(value, ctx.base, ctx.home))


class ExtraHosts(Kind):
    """`host:address` or `host=address` in a list, or a mapping; canonical: a sorted list of `host=address`."""

    allows = "a mapping, or a list of host:address strings"
    _addresses = ListOf(Str(), single=True)

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, (Map, Seq)):
            return wrong_type(self.allows, value, at, path, ctx)
        if ctx.raw:
            return value
        if isinstance(value, Seq):
            refuse_repeated(value, path, ctx)
        made = Seq(value.at)
        pairs = self._of_map(value, path, ctx) if isinstance(value, Map) else self._of_list(value, path, ctx)
        for text, text_at in sorted(pairs, key=lambda pair: pair[0]):
            made.add(text, text_at)
        return made

    def _of_map(self, value: Map, path: Path, ctx: Context) -> Iterator[tuple[str, Position]]:
        for host, given in value.items():
            at = value.values_at[host]
            if not host or ":" in host or "=" in host:
                message = f"{show(path)}: {host!r} is no host name"
                ctx.refuse("wrong-value", message, value.keys_at[host], (*path, host), "write it as myhost: 10.0.0.1")
            elif isinstance(addresses := self._addresses.read(given, at, (*path, host), ctx), Seq):
                for address in addresses:
                    yield f"{host}={_unbracketed(address)}", value.keys_at[host]

    def _of_list(self, value: Seq, path: Path, ctx: Context) -> Iterator[tuple[str, Position]]:
        for index, (item, at) in enumerate(value.pairs()):
            match = re.fullmatch(r"([^=:]+)(?:=|:(?!.*=))(.*)", item, re.DOTALL) if isinstance(item, str) else None
            if not match:
                message = f"{show((*path, index))} must be host:address, but it is {shown(item)}"
                ctx.refuse("wrong-value", message, at, (*path, index), "write it as myhost:10.0.0.1")
                continue
            for address in match[2].split(","):
                yield f"{match[1]}={_unbracketed(address)}", at


def _unbracketed(address: str) -> str:
    return address[1:-1] if len(address) > 2 and address.startswith("[") and address.endswith("]") else address

"""What is mounted into a service: volumes, devices, configs and secrets, in short and long form."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from defang_nb.compose.kinds import DROP, Bool, Context, Int, Kind, Size, Str, said, shown, wrong_type
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.paths import absolute
from defang_nb.compose.scalars import go_text
from defang_nb.compose.shapes import KeyValues, Struct, fields_of
from defang_nb.model.source import Position

_PROPAGATIONS: Final = ("shared", "slave", "private", "rshared", "rslave", "rprivate")


class Mode(Kind):
    """A file mode, written in octal; canonical: `"0444"`."""

    allows = "a file mode such as 0444"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str) and re.fullmatch(r"0?[0-7]{1,4}", value):
            value = int(value, 8)
        if isinstance(value, bool) or not isinstance(value, int):
            return wrong_type(self.allows, value, at, path, ctx)
        return f"0{value:o}"


class _TmpfsMode(Mode):
    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        mode = super().read(value, at, path, ctx)
        return int(mode, 8) if isinstance(mode, str) else mode


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
        "volume": Struct({"labels": KeyValues(""), "nocopy": Bool(), "subpath": Str()}),
        "tmpfs": Struct({"size": Size(), "mode": _TmpfsMode()}),
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
            if isinstance(mount, Map):
                made.add(_placed(mount, ctx), item_at)
        return made

    def _one(self, item: Node, at: Position, path: Path, ctx: Context) -> Node:
        if isinstance(item, Map):
            read = _LONG.read(item, at, path, ctx)
            return read if "type" in item and "target" in item else DROP
        if not isinstance(item, str):
            return wrong_type("a string such as ./data:/data, or a mapping", item, at, path, ctx)
        try:
            return short(item, at)
        except ValueError as problem:
            hint = "write SOURCE:TARGET or SOURCE:TARGET:ro"
            return ctx.refuse("wrong-volume", f"{show(path)}: {said(item)} is no volume: {problem}", at, path, hint)


def _placed(mount: Map, ctx: Context) -> Map:
    mount["target"] = posixpath.normpath(mount["target"])
    if mount["type"] == "bind" and mount.get("source"):
        mount["source"] = absolute(mount["source"], ctx.base, ctx.home)
    return mount


def short(spec: str, at: Position) -> Map:
    """The short form. A single letter before the first colon is a Windows drive, as in the reference. Raises ValueError."""
    if not spec:
        raise ValueError("it is empty")
    fields = (
        [match[0] for match in re.finditer(r"(?:^|(?<=:))(?:[A-Za-z]:(?=[^:]|$))?[^:]*", spec)] if len(spec) > 2 else [spec]
    )
    if "" in fields:
        raise ValueError("there is nothing between two colons")
    if len(fields) > 3:
        raise ValueError("too many colons")
    mount = Map(at)
    if len(fields) == 1:
        return fields_of(mount, at, type="volume", target=fields[0])
    source, target, *options = fields
    bind = source[0] in "./~" or re.match(r"[A-Za-z]:", source) is not None
    fields_of(mount, at, type="bind" if bind else "volume", source=source, target=target)
    inner: dict[str, Node] = {"create_host_path": True} if bind else {}
    for option in options[0].split(",") if options else ():
        if option == "ro":
            fields_of(mount, at, read_only=True)
        elif option == "nocopy":
            fields_of(mount, at, volume=fields_of(Map(at), at, nocopy=True))
        elif option in ("z", "Z") and bind:
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
        if not isinstance(value, str):
            return wrong_type(self.allows, value, at, path, ctx)
        source, *rest = value.split(":")
        target = rest[0] if rest else source
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
        elif isinstance(value, str):
            read = fields_of(Map(at), at, source=value)
        else:
            return wrong_type(self.allows, value, at, path, ctx)
        if isinstance(read, Map) and self.folder and "target" not in read and "source" in read:
            fields_of(read, at, target=f"{self.folder}/{read['source']}")
        return read


class Ulimit(Kind):
    """One number for both limits, or `soft` and `hard`."""

    allows = "an integer, or a mapping with soft and hard"
    long = Struct({"soft": Int(), "hard": Int()}, required=("soft", "hard"))

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, Map):
            return self.long.read(value, at, path, ctx)
        return Int(allows=self.allows).read(value, at, path, ctx)


class EnvFile(Kind):
    """A path, or a mapping with `path`, `required` and `format`; canonical: the mapping, its path absolute."""

    allows = "a path, or a mapping with `path`"
    long = Struct({"path": Str(), "required": Bool(), "format": Str()}, required=("path",))

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str):
            value = fields_of(Map(at), at, path=value)
        elif not isinstance(value, Map):
            return wrong_type(self.allows, value, at, path, ctx)
        if self.long.read(value, at, path, ctx) is DROP or "path" not in value:
            return DROP
        value["path"] = absolute(value["path"], ctx.base, ctx.home)
        return value


class FilePath(Kind):
    """A path; canonical: absolute."""

    allows = "a path"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, str):
            return wrong_type(self.allows, value, at, path, ctx)
        return absolute(value, ctx.base, ctx.home)


class ExtraHosts(Kind):
    """`host:address` or `host=address` in a list, or a mapping; canonical: a list of `host=address`."""

    allows = "a mapping, or a list of host:address strings"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, (Map, Seq)):
            return wrong_type(self.allows, value, at, path, ctx)
        made = Seq(value.at)
        if isinstance(value, Map):
            for host, addresses in value.items():
                for address in addresses if isinstance(addresses, Seq) else [addresses]:
                    made.add(f"{host}={_unbracketed(go_text(address))}", value.keys_at[host])
            return made
        for index, (item, item_at) in enumerate(value.pairs()):
            match = re.fullmatch(r"([^=:]+)[=:](.+)", item) if isinstance(item, str) else None
            if match:
                made.add(f"{match[1]}={_unbracketed(match[2])}", item_at)
            else:
                message = f"{show((*path, index))} must be host:address, but it is {shown(item)}"
                ctx.refuse("wrong-value", message, item_at, (*path, index), "write it as myhost:10.0.0.1")
        return made


def _unbracketed(address: str) -> str:
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address

"""How a service names other things: services it depends on, networks, models, what it extends, where it is built."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from defang_nb.compose.kinds import DROP, Bool, Context, Kind, Str, is_text, wrong_type
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.paths import absolute, is_remote
from defang_nb.compose.shapes import KeyValues, MapOf, Nullable, Struct, fields_of, refuse_repeated
from defang_nb.model.source import Position

NAME: Final = r"[a-zA-Z0-9._-]+"


class Names(Kind):
    """A list of names, or a mapping from name to `item`; canonical: the mapping, each name of a list with `default`."""

    allows = "a list of names, or a mapping"

    def __init__(self, item: Kind, default: dict[str, Node] | None) -> None:
        self.item = MapOf(item, NAME)
        self.default = default

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, Map):
            return self.item.read(value, at, path, ctx)
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx)
        refuse_repeated(value, path, ctx)
        made = Map(value.at)
        for index, (item, item_at) in enumerate(value.pairs()):
            if is_text(item):
                given = None if self.default is None else fields_of(Map(item_at), item_at, **self.default)
                made.put(item, given, value, index)
            else:
                wrong_type("a name", item, item_at, (*path, index), ctx)
        return made


CONDITIONS: Final = ("service_started", "service_healthy", "service_completed_successfully")
_DEPENDENCY: Final = Struct({"condition": Str(CONDITIONS), "required": Bool(), "restart": Bool()})


class _Dependency(Kind):
    allows = "a mapping with `condition`"
    long = _DEPENDENCY

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        return _DEPENDENCY.read(value, at, path, ctx)


def depends_on() -> Kind:
    """`depends_on`, whose list form means: started, and required."""
    return Names(_Dependency(), {"condition": "service_started", "required": True})


class Extends(Kind):
    """A service's name, or a mapping with `service` and `file` (absolute in the canonical form)."""

    allows = "a service's name, or a mapping with `service` and `file`"
    long = Struct({"service": Str(), "file": Str()}, required=("service",), lenient=True)

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if is_text(value):
            return fields_of(Map(at), at, service=value)
        if not isinstance(value, Map):
            return wrong_type(self.allows, value, at, path, ctx)
        if self.long.read(value, at, path, ctx) is DROP or "service" not in value:
            return DROP
        if "file" in value:
            value["file"] = absolute(value["file"], ctx.base, ctx.home)
        return value


class BuildSpec(Kind):
    """A context, or the mapping of `fields`; canonical: the mapping, with an absolute context unless it is remote."""

    allows = "a path to the build context, or a mapping"

    def __init__(self, fields: dict[str, Kind]) -> None:
        self.long = Struct(fields)

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if is_text(value):
            value = fields_of(Map(at), at, context=value)
        elif isinstance(value, Map):
            if self.long.read(value, at, path, ctx) is DROP:
                return DROP
        else:
            return wrong_type(self.allows, value, at, path, ctx)
        if isinstance(context := value.get("context"), str) and not is_remote(context):
            value["context"] = absolute(context, ctx.base, ctx.home)
        contexts = value.get("additional_contexts")
        for name, place in contexts.items() if isinstance(contexts, Map) else ():
            if place and not is_remote(place):
                contexts[name] = absolute(place, ctx.base, ctx.home)
        return value


class Contexts(Kind):
    """Additional build contexts: a mapping from name to place, or a list of `name=place`."""

    allows = KeyValues().allows

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        for key, place in value.items() if isinstance(value, Map) else ():
            if not isinstance(place, str):
                return wrong_type("a string", place, value.value_at(key), (*path, key), ctx)
        whole = not isinstance(value, Seq) or all(isinstance(each, str) and "=" in each for each in value)
        read = KeyValues(None).read(value, at, path, replace(ctx, raw=ctx.raw and not whole))
        if isinstance(read, Map):
            read.listed = False  # the reference makes a mapping of it
        for key, place in read.items() if isinstance(read, Map) else ():
            if place is None:
                return ctx.refuse(
                    "wrong-value", f"{show(path)}: {key} has no place", read.key_at(key), path, f"write {key}=PLACE"
                )
        return read


class External(Kind):
    """A boolean, or the old form `{name: …}`, which the resource's own `name` took over."""

    allows = "a boolean"
    _old = Struct({"name": Str()}, lenient=True)

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, Map):
            return Bool().read(value, at, path, ctx)
        if self._old.read(value, at, path, ctx) is DROP:
            return DROP
        message = f"{show(path)}.name is deprecated"
        ctx.problems.warn("deprecated", message, at, path, hint="set `name` beside `external: true`")
        return value


class Resource(Kind):
    """A top-level network, volume, config or secret: nothing, or the mapping of `fields`."""

    def __init__(self, fields: dict[str, Kind], *, nullable: bool) -> None:
        struct = Struct(fields)
        self.kind: Kind = Nullable(struct) if nullable else struct

    @property
    def allows(self) -> str:
        return self.kind.allows

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = self.kind.read(value, at, path, ctx)
        if read is None:
            return Map(at)
        if isinstance(read, Map) and isinstance(old := read.get("external"), Map):
            read["external"] = True
            if (known := read.get("name") or ctx.text_below((*path, "name"))) and known != old.get("name", known):
                message = f"{show(path)} has a name, and another one in external.name"
                ctx.refuse("exclusive-keys", message, old.key_at("name"), (*path, "external", "name"), "keep only `name`")
            elif "name" in old:
                fields_of(read, read.value_at("external") or at, name=old["name"])
        if isinstance(read, Map) and isinstance(file := read.get("file"), str):
            read["file"] = absolute(file, ctx.base, ctx.home, windows=True)
        if isinstance(read, Map):
            _bind_device(read, ctx)
        return read


def _bind_device(volume: Map, ctx: Context) -> None:
    """A local volume that is really a bind mount names a folder, which may be relative."""
    options = volume.get("driver_opts")
    if volume.get("driver") == "local" and isinstance(options, Map) and options.get("o") == "bind" and "device" in options:
        options["device"] = absolute(options["device"], ctx.base, ctx.home, windows=True)

"""Defang's extensions of a service, checked like Compose's own keys: `x-defang-postgres`, `-static-files`, `-policies`, …

Source: Defang's own Compose documentation and command line. Other `x-…` keys are people's own, and never looked at.
"""

from __future__ import annotations

from typing import Any, Final

from defang_nb.compose.finish import services_of
from defang_nb.compose.kinds import DROP, Bool, Context, Kind, Str, wrong_type
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.problems import Problems, did_you_mean
from defang_nb.compose.shapes import ListOf, MapOf, Struct
from defang_nb.model.project import Managed, ManagedKind, StaticFiles
from defang_nb.model.source import Position

PREFIX: Final = "x-defang-"
_TRUE: Final = frozenset({"true", "t", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "f", "0", "no", "off"})


class _Flag(Kind):
    """Nothing (which means yes), a boolean, a word for one, or the mapping `long`."""

    def __init__(self, long: Struct | None = None) -> None:
        self.long = long

    @property
    def allows(self) -> str:
        return "true, false or empty" + (f", or a mapping with {' and '.join(self.long.fields)}" if self.long else "")

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if value is None or isinstance(value, bool):
            return value is not False
        if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
        if isinstance(value, Map) and self.long:
            return self.long.read(value, at, path, ctx)
        if isinstance(value, str):
            message = f"{show(path)} must be {self.allows}"
            return ctx.refuse("wrong-value", message, at, path, f"write `{path[-1]}: true`")
        return wrong_type(self.allows, value, at, path, ctx)


class _Site(Kind):
    """A folder, or a mapping with `folder` and `redirects`."""

    allows = "a folder, or a mapping with folder and redirects"
    long = Struct({"folder": Str(), "redirects": ListOf(Str())}, required=("folder",))

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if value is None or value is False or isinstance(value, str):
            return value or None
        return self.long.read(value, at, path, ctx) if isinstance(value, Map) else wrong_type(self.allows, value, at, path, ctx)


class _Policies(Kind):
    """A list of policies, or a string with commas between them."""

    allows = "a list of policies, or a string with commas between them"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str):
            return [policy for each in value.split(",") if (policy := each.strip())]
        return (
            ListOf(Str()).read(value, at, path, ctx)
            if isinstance(value, Seq)
            else wrong_type(self.allows, value, at, path, ctx)
        )


_STORE: Final = _Flag(Struct({"allow-downtime": Bool(), "from-snapshot": Str()}))
KNOWN: Final[dict[str, Kind]] = {
    **{f"{PREFIX}{kind.value}": _STORE for kind in ManagedKind},
    f"{PREFIX}static-files": _Site(),
    f"{PREFIX}autoscaling": _Flag(),
    f"{PREFIX}policies": _Policies(),
    f"{PREFIX}aliases": MapOf(Str()),
    f"{PREFIX}dns-role": Str(),
}
"""Every extension of a service."""


def extensions(model: Map, problems: Problems) -> dict[str, dict[str, Any]]:
    """The fields of `model.Service` that extensions give, for each service that has some; what is wrong is noted."""
    for key in model:
        if key.startswith(PREFIX):
            hint = "move it into the service that it is about"
            problems.warn("extension-place", f"{key} means something in a service only", model.key_at(key), (key,), hint)
    found: dict[str, dict[str, Any]] = {}
    for name, service in services_of(model).items():
        keys = [key for key in service if key.startswith(PREFIX)]
        if keys:
            found[name] = _typed(name, service, _read(name, service, keys, problems), problems)
    return found


def _read(name: str, service: Map, keys: list[str], problems: Problems) -> dict[str, Node]:
    read: dict[str, Node] = {}
    for key in keys:
        path: Path = ("services", name, key)
        kind = KNOWN.get(key)
        if kind is None:
            hint = did_you_mean(key, KNOWN) or f"known here: {', '.join(KNOWN)}"
            problems.warn("unknown-extension", f'unknown extension "{key}" in services.{name}', service.key_at(key), path, hint)
            continue
        # The canonical form prints extensions as they are written: what is read is a copy.
        value = kind.read(_copy(service[key]), service.value_at(key), path, Context(problems, "", ""))
        if value is not DROP:
            read[key] = value
    return read


def _typed(name: str, service: Map, read: dict[str, Node], problems: Problems) -> dict[str, Any]:
    managed: Managed | None = None
    for kind in ManagedKind:
        value = read.get(key := f"{PREFIX}{kind.value}", False)
        if value is False:
            continue
        if managed:
            message = f'service "{name}" can\'t be both a managed {managed.kind.value} and a managed {kind.value}'
            problems.error("exclusive-keys", message, service.key_at(key), ("services", name, key), "keep one of them")
            continue
        long = value if isinstance(value, Map) else Map()
        managed = Managed(
            kind=kind, allow_downtime=long.get("allow-downtime", False), from_snapshot=long.get("from-snapshot", "")
        )
    site = read.get(f"{PREFIX}static-files")
    files: StaticFiles | None
    if isinstance(site, Map):
        files = StaticFiles(folder=site.get("folder", ""), redirects=tuple(site.get("redirects", ())))
    else:
        files = StaticFiles(folder=str(site)) if site else None
    return {
        "managed": managed,
        "static_files": files,
        "autoscaling": read.get(f"{PREFIX}autoscaling", False),
        "policies": tuple(map(str, read.get(f"{PREFIX}policies", ()))),
        "aliases": {key: str(value) for key, value in read.get(f"{PREFIX}aliases", {}).items()},
        "dns_role": str(read.get(f"{PREFIX}dns-role", "")),
    }


def _copy(node: Node) -> Node:
    if isinstance(node, Map):
        made = Map(node.at)
        made.copy_marks(node)
        made.update((key, _copy(value)) for key, value in node.items())
        return made
    if isinstance(node, Seq):
        items = Seq(node.at)
        items.items_at = list(node.items_at)
        items.extend(map(_copy, node))
        return items
    return node

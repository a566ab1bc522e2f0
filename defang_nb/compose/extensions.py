"""Defang's extensions of a service: `x-defang-postgres`, `-redis`, `-mongodb`, `-llm`, `-static-files`. The rest is ignored."""

from __future__ import annotations

from typing import Final

from defang_nb.compose.kinds import DROP, Bool, Context, Kind, Str, shown
from defang_nb.compose.nodes import Map, Node
from defang_nb.compose.problems import Problems
from defang_nb.compose.shapes import ListOf, Struct
from defang_nb.model.project import Managed, ManagedKind, StaticFiles

_MANAGED: Final = Struct({"allow-downtime": Bool(), "from-snapshot": Str()})
_STATIC: Final = Struct({"folder": Str(), "redirects": ListOf(Str())}, required=("folder",))
_WORDS: Final = {"true": True, "yes": True, "on": True, "": True, "false": False, "no": False, "off": False}


def managed(name: str, service: Map, problems: Problems) -> Managed | None:
    """What the service is managed as: nothing, or the one extension that says so."""
    found: Managed | None = None
    for kind in ManagedKind:
        key = f"x-defang-{kind.value}"
        if key not in service or (made := _managed(kind, key, name, service, problems)) is None:
            continue
        if found:
            message = f'service "{name}" can\'t be both a managed {found.kind.value} and a managed {kind.value}'
            problems.error("exclusive-keys", message, service.key_at(key), ("services", name, key), "keep one of them")
        found = made
    return found


def _managed(kind: ManagedKind, key: str, name: str, service: Map, problems: Problems) -> Managed | None:
    value: Node = service[key]
    if isinstance(value, str):
        value = _WORDS.get(value.lower(), True)
    match value:
        case None | True:
            return Managed(kind=kind)
        case False:
            return None
        case Map():
            read = _read(_MANAGED, key, name, service, problems)
            return Managed(
                kind=kind, allow_downtime=read.get("allow-downtime", False), from_snapshot=read.get("from-snapshot", "")
            )
    message = f"{key} must be true, false or a mapping, but it is {shown(value)}"
    problems.error("wrong-type", message, service.value_at(key), ("services", name, key), f"write `{key}: true`")
    return None


def static_files(name: str, service: Map, problems: Problems) -> StaticFiles | None:
    """The folder that is served as it is: given alone, or in a mapping with `redirects`."""
    key = "x-defang-static-files"
    value = service.get(key)
    match value:
        case None | False:
            return None
        case str():
            return StaticFiles(folder=str(value))
        case Map():
            read = _read(_STATIC, key, name, service, problems)
            return StaticFiles(folder=read.get("folder", ""), redirects=tuple(read.get("redirects", ())))
    message = f"{key} must be a folder or a mapping, but it is {shown(value)}"
    problems.error("wrong-type", message, service.value_at(key), ("services", name, key), f"write `{key}: ./public`")
    return None


def _read(kind: Kind, key: str, name: str, service: Map, problems: Problems) -> Map:
    read = kind.read(service[key], service.key_at(key), ("services", name, key), Context(problems, "", ""))
    return Map() if read is DROP else read

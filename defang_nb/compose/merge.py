"""Canonical models laid over each other: override files, further documents, extended services.

Mappings merge deeply, lists are appended and then made unique by what identifies an item, and a few values are replaced
whole. Source: Compose specification, "Merge", as the reference does it. Neither side is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from defang_nb.compose.nodes import Map, Node, Path, Seq

_REPLACED: Final = ("command", "entrypoint", "healthcheck.test", "extends")
_NULLS_COUNT: Final = ("environment", "build.args")
"""Mappings where nothing is a value of its own, which an override may bring (as it may for a command)."""


def merge(base: Map, over: Map, path: Path = ()) -> Map:
    """`over` laid over `base`."""
    made = Map(base.at)
    made.copy_marks(base)
    made.resets, made.overrides = set(over.resets), set(over.overrides)
    made.update((key, value) for key, value in base.items() if key not in over.resets)
    in_service = ".".join(str(part) for part in path[2:]) if path[:1] == ("services",) else ""
    for key, value in over.items():
        if key in made and key not in over.overrides:
            if value is not None:
                value = _merged(made[key], value, (*path, key))
            elif in_service not in _NULLS_COUNT and (in_service or key not in _REPLACED):
                continue
        made.put(key, value, over)
    return made


def _merged(base: Node, over: Node, path: Path) -> Node:
    inside = ".".join(str(part) for part in path[2:]) if path[:1] == ("services",) else ""
    if inside in _REPLACED:
        return over
    if isinstance(base, Map) and isinstance(over, Map):
        if inside == "logging" and base.get("driver", over.get("driver")) != over.get("driver", base.get("driver")):
            return over
        return merge(base, over, path)
    if isinstance(base, Seq) and isinstance(over, Seq):
        both = Seq(over.at)
        for part in (base, over):
            both.extend(part)
            both.items_at.extend(part.items_at)
        return unique(both, inside or ".".join(str(part) for part in path))
    return over


def _port(item: Map) -> Node:
    return item.get("host_ip", ""), item.get("published", ""), item.get("target"), item.get("protocol", "tcp")


def _by(key: str) -> Callable[[Map], Node]:
    return lambda item: item.get(key)


def _mount(folder: str) -> Callable[[Map], Node]:
    return lambda item: item.get("target") or f"{folder}/{item.get('source')}"


def _name(item: Node) -> Node:
    return item.partition("=")[0] if isinstance(item, str) else item


def _whole(item: Node) -> Node:
    return item


_IDENTITY: Final[dict[str, Callable[[Node], Node]]] = {
    "ports": _port,
    "volumes": _by("target"),
    "devices": _by("target"),
    "env_file": _by("path"),
    "secrets": _mount("/run/secrets"),
    "configs": _mount(""),
    **dict.fromkeys(("cap_add", "cap_drop", "expose", "build.tags", "build.platforms", "links", "profiles"), _whole),
    **dict.fromkeys(("dns", "dns_opt", "dns_search", "tmpfs", "label_file"), _name),
}


def unique(items: Seq, inside: str) -> Seq:
    """The items of a service's `inside`, each once: a later one takes the place of the earlier one it equals."""
    identity = _IDENTITY.get(inside)
    if identity is None or len(items) < 2:
        return items
    where: dict[Node, int] = {}
    made = Seq(items.at)
    for item, at in items.pairs():
        key = identity(item)
        if key in where:
            made[where[key]], made.items_at[where[key]] = item, at
        else:
            where[key] = len(made)
            made.add(item, at)
    return made


def enforce_unique(service: Map) -> None:
    """Each list of `service` without repetitions, in place."""
    for key in _IDENTITY:
        if isinstance(value := service.get(key), Seq):
            service[key] = unique(value, key)


def drop_nulls(over: Map, base: Map) -> None:
    """Take the keys of `over` away that have no value while `base` has one: they change nothing, and are no mistake."""
    for key in list(over):
        value, below = over[key], base.get(key)
        if value is None and below is not None and key not in _REPLACED:
            del over[key]
        elif isinstance(value, Map) and isinstance(below, Map) and key not in ("environment", "args"):
            drop_nulls(value, below)

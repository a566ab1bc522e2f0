"""Canonical models laid over each other: override files, further documents, extended services.

Mappings merge deeply, lists are appended and then made unique by what identifies an item, and a few values are replaced
whole. Source: Compose specification, "Merge", as the reference does it. Neither side is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from defang_nb.compose.nodes import Map, Node, Path, Seq

_REPLACED: Final = ("command", "entrypoint", "healthcheck.test", "extends")
_ULIMIT: Final = re.compile(r"(?:build\.)?ulimits\.[^.]+")
_ALIASES: Final = re.compile(r"^networks\.[^.]+(?=\.(?:aliases|link_local_ips)$)")
_LISTED: Final = frozenset({"environment", "labels", "annotations", "sysctls", "deploy.labels", "build.args", "build.labels"})
"""Mappings that the reference makes lists of when it lays them over each other."""
_NULLS_COUNT: Final = ("environment", "build.args")
"""Mappings where nothing is a value of its own, which an override may bring (as it may for a command)."""


def merge(base: Map, over: Map, path: Path = ()) -> Map:
    """`over` laid over `base`."""
    made = Map(base.at)
    made.copy_marks(base)
    made.resets, made.overrides = over.resets, over.overrides
    made.update((key, value) for key, value in base.items() if base.listed or key not in over.resets)
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
    if inside in _REPLACED or _ULIMIT.fullmatch(inside):
        return over
    if isinstance(base, Map) and isinstance(over, Map):
        if inside == "logging" and base.get("driver", over.get("driver")) != over.get("driver", base.get("driver")):
            return over
        merged = merge(base, over, path)
        merged.listed = inside in _LISTED
        return merged
    if isinstance(base, Seq) and isinstance(over, Seq):
        both = Seq(over.at)
        for part in (base, over):
            both.extend(part)
            both.items_at.extend(part.items_at)
        if inside in ("extra_hosts", "build.extra_hosts"):
            return _sorted(unique(both, inside))
        if path[:1] == ("networks",) and path[2:] == ("ipam", "config"):
            return _by_subnet(base, over, path)
        return unique(both, _ALIASES.sub("networks.*", inside))
    return over


def _by_subnet(base: Seq, over: Seq, path: Path) -> Seq:
    """Pools of addresses: those of the same subnet are one; a base's pool that is not named again is gone (as elsewhere)."""
    made = Seq(over.at)
    for pool, _ in base.pairs():
        for other, at in over.pairs():
            subnets = [each.get("subnet") for each in made]
            if other.get("subnet") != pool.get("subnet") and other.get("subnet") not in subnets:
                made.add(other, at)
                continue
            pool = merge(pool, other, path)
            if pool.get("subnet") in subnets:
                made[subnets.index(pool.get("subnet"))] = pool
            else:
                made.add(pool, at)
    return made


def _sorted(items: Seq) -> Seq:
    made = Seq(items.at)
    for item, at in sorted(items.pairs(), key=lambda pair: str(pair[0])):
        made.add(item, at)
    return made


_ANY_HOST: Final = "0.0.0.0"  # noqa: S104 - what a port without an address means; nothing is bound here


def _port(item: Map) -> Node:
    return item.get("host_ip", _ANY_HOST), item.get("published", ""), item.get("target"), item.get("protocol", "tcp")


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
    **dict.fromkeys(("expose", "extra_hosts", "build.extra_hosts"), _whole),
    **dict.fromkeys(("cap_add", "cap_drop", "links", "profiles", "dns", "dns_opt", "dns_search", "tmpfs"), _name),
    **dict.fromkeys(("build.tags", "build.ssh", "networks.*.aliases", "networks.*.link_local_ips"), _name),
}


_OF_TEXT: Final = (_name, _whole)


def unique(items: Seq, inside: str) -> Seq:
    """The items of a service's `inside`, each once: a later one takes the place of the earlier one it equals."""
    identity = _IDENTITY.get(inside)
    if identity is None or len(items) < 2:
        return items
    where: dict[Node, int] = {}
    made = Seq(items.at)
    for item, at in items.pairs():
        key = identity(item) if identity in _OF_TEXT or isinstance(item, Map) else item
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
    if isinstance(build := service.get("build"), Map) and isinstance(tags := build.get("tags"), Seq):
        build["tags"] = unique(tags, "build.tags")
    networks = service.get("networks")
    for network in networks.values() if isinstance(networks, Map) else ():
        for key in ("aliases", "link_local_ips"):
            if isinstance(network, Map) and isinstance(value := network.get(key), Seq):
                network[key] = unique(value, f"networks.*.{key}")


def drop_nulls(over: Map, base: Map, path: Path = ()) -> None:
    """Take the keys of `over` away that have no value while `base` has one: they change nothing, and are no mistake."""
    for key in list(over):
        value, below, here = over[key], base.get(key), (*path, key)
        if value is None and below is not None and key not in over.overrides and not _NULL_MATTERS.fullmatch(_dotted(here)):
            del over[key]
        elif isinstance(value, Map) and isinstance(below, Map) and not _KEYS_COUNT.fullmatch(_dotted(here)):
            drop_nulls(value, below, here)


def _dotted(path: Path) -> str:
    return "/".join(str(part) for part in path)


_NULL_MATTERS: Final = re.compile(
    r"services|services/[^/]+/(?:command|entrypoint|extends|logging|healthcheck/test|(?:build/)?ulimits/[^/]+)"
)
"""What is replaced whole, so that nothing is a value there too (and mostly a mistake)."""
_KEYS_COUNT: Final = re.compile(
    r"services/[^/]+/(?:environment|labels|annotations|sysctls|deploy/labels|build/(?:args|labels|additional_contexts))"
    r"|(?:networks|volumes)/[^/]+/labels"
)
"""Mappings that may be lists as well, where a key without a value says something."""

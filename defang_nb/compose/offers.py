"""What may stand at a place of a Compose file: its keys and its values, read off the table that files are checked by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from defang_nb.compose.kinds import Bool, Int, Str
from defang_nb.compose.shapes import MapOf, Struct
from defang_nb.compose.spec_top import FILE

_EXTENSIONS: Final = tuple(
    f"x-defang-{name}"
    for name in ("postgres", "redis", "mongodb", "llm", "static-files", "autoscaling", "policies", "aliases", "dns-role")
)
_USUAL: Final[dict[str, tuple[str, ...]]] = {
    "restart": ("unless-stopped", "always", "on-failure", "no"),
    "pull_policy": ("always", "missing", "never", "build"),
    "network_mode": ("host", "none", "service:"),
    "ports.mode": ("ingress", "host"),
    "deploy.mode": ("replicated", "global"),
    "restart_policy.condition": ("none", "on-failure", "any"),
    "protocol": ("tcp", "udp"),
    "x-defang-postgres": ("true",),
    "x-defang-redis": ("true",),
    "x-defang-mongodb": ("true",),
    "x-defang-llm": ("true",),
}
"""Values that are free text to Compose, and of which few are ever meant."""
_NAMING: Final = {
    "depends_on": "services", "service": "services", "links": "services", "networks": "networks", "secrets": "secrets",
    "configs": "configs", "models": "models", "volumes_from": "services",
}  # fmt: skip
"""Keys of a service whose entries are names of things at the top level."""


class Offer(NamedTuple):
    """`keys` may stand there, `values` may be what is there, `names` is the section whose names may ("" for none)."""

    keys: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    names: str = ""


def offer(path: Sequence[str]) -> Offer:
    """What may stand at `path`: the keys above it, without the items of lists (`services.web.ports.mode`)."""
    kinds = list(_unwrapped([FILE]))
    for key in path:
        kinds = list(_unwrapped(_below(kinds, key)))
    keys = [key for kind in kinds if isinstance(kind, Struct) for key in kind.fields]
    last = path[-1] if path else ""
    if len(path) == 2 and path[0] == "services":
        keys += _EXTENSIONS
    values = [value for kind in kinds for value in _values(kind)] or list(_USUAL.get(".".join(path[-2:]), _USUAL.get(last, ())))
    named = len(path) > 2 and (len(path) == 3 or last == "service")
    return Offer(tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(values)), _NAMING.get(last, "") if named else "")


def _below(kinds: Iterable[Any], key: str) -> Iterator[Any]:
    for kind in kinds:
        if isinstance(kind, Struct) and key in kind.fields:
            yield kind.fields[key]
        elif isinstance(kind, MapOf):
            yield kind.item


def _unwrapped(kinds: Iterable[Any]) -> Iterator[Any]:
    """Each kind, and those that it stands for in another form: the items of a list, the long form of a short one."""
    for kind in kinds:
        yield kind
        inner = [found for name in ("kind", "struct", "long") if (found := getattr(kind, name, None)) is not None]
        if not isinstance(kind, MapOf) and (item := getattr(kind, "item", None)) is not None:
            inner.append(item)
        yield from _unwrapped(inner)


def _values(kind: Any) -> Iterator[str]:
    match kind:
        case Str():
            yield from kind.choices
        case Bool():
            yield from ("true", "false")
        case Int():
            yield from kind.words

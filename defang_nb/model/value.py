"""Values that are known only later: outputs of other resources, and configuration (secrets).

A resource's inputs are plain JSON values in which three small mappings stand for what is not known yet:
`{"$ref": "<urn>#<output>"}`, `{"$config": "<KEY>"}` and `{"$join": [part, …]}` (a string made of parts). Being JSON, they
hash, travel and are stored as they are; a secret's value is never among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

Json = Any
"""None, bool, int, float, str, list or dict with string keys."""


class ConfigRef(msgspec.Struct, frozen=True, tag="config"):
    """A deployment-time configuration value, by name; its (secret) value lives in the provider's config store."""

    key: str


Text = tuple[str | ConfigRef, ...]
"""A string in which configuration values are still symbolic: literal parts and `ConfigRef`s, in order."""


def ref(urn: str, output: str) -> dict[str, Json]:
    """Stands for `output` of the resource `urn`."""
    return {"$ref": f"{urn}#{output}"}


def config(key: str) -> dict[str, Json]:
    """Stands for the configuration value `key`; only the service's launcher ever resolves it."""
    return {"$config": key}


def join(parts: Sequence[Json]) -> Json:
    """A string of `parts`; neighbouring literals are merged, and a lone part stands for itself."""
    merged: list[Json] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    if not merged:
        return ""
    return merged[0] if len(merged) == 1 else {"$join": merged}


_PLAIN = frozenset({str, int, float, bool, type(None), list, tuple})
"""What is no mapping, seen at once: to ask the abstract class takes longer than all else that is done with a value."""


def references(value: Json) -> Iterator[tuple[str, str]]:
    """Every `(urn, output)` that `value` refers to."""
    found: list[tuple[str, str]] = []
    _collect(value, found)
    return iter(found)


def _collect(value: Json, found: list[tuple[str, str]]) -> None:
    """Written for speed, as is `resolve`: a plan looks at every value of every resource, and nearly all are strings."""
    kind = type(value)
    if kind is dict or (kind not in _PLAIN and isinstance(value, Mapping)):
        target = value.get("$ref") if len(value) == 1 else None
        if isinstance(target, str):
            urn, _, output = target.rpartition("#")
            found.append((urn, output))
            return
        value = value.values()
    elif kind is not list and kind is not tuple:
        return
    for each in value:
        if not isinstance(each, str):
            _collect(each, found)


def config_keys(value: Json) -> Iterator[str]:
    """The name of every configuration value that `value` refers to."""
    match value:
        case {"$config": str(key), **rest} if not rest:
            yield key
        case Mapping():
            for each in value.values():
                yield from config_keys(each)
        case list() | tuple():
            for each in value:
                yield from config_keys(each)


def resolve(value: Json, output: Callable[[str, str], Json]) -> Json:
    """`value` with every reference replaced by `output(urn, name)`; configuration stays symbolic."""
    kind = type(value)
    if kind is dict or (kind not in _PLAIN and isinstance(value, Mapping)):
        if len(value) == 1:
            match value:
                case {"$ref": str(target)}:
                    urn, _, name = target.rpartition("#")
                    return output(urn, name)
                case {"$join": list(parts)}:
                    known = [resolve(part, output) for part in parts]
                    return join([part if isinstance(part, Mapping) else str(part) for part in known])
        return {key: each if isinstance(each, str) else resolve(each, output) for key, each in value.items()}
    if kind is list or kind is tuple:
        return [each if isinstance(each, str) else resolve(each, output) for each in value]
    return value

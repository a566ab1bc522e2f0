"""What differs between two sets of inputs, property by property, in words for people.

A value that is only known once another resource was changed stands in the inputs as `{"$unknown": "<urn>#<output>"}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from defang_nb.model.plan import Change
from defang_nb.model.value import Json, resolve

_ENCODER = msgspec.json.Encoder(order="sorted")
_WIDTH = 80
_SECRETS = "config_digests."
"""Where inputs tell by keyed digests that configuration values changed."""
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,116}\b")
"""Git and SHA digests, of which people read the first twelve digits."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One property. `unknown` holds the urns whose change decides whether there is a difference at all."""

    path: str
    top: str
    before: str
    after: str
    unknown: tuple[str, ...] = ()


def unknown(urn: str, output: str) -> dict[str, Json]:
    """Stands for an output that nobody knows yet."""
    return {"$unknown": f"{urn}#{output}"}


def unknown_urns(value: Json) -> list[str]:
    """The urns that `value` waits for, in order, each once."""
    found: dict[str, None] = {}
    match value:
        case {"$unknown": str(target), **rest} if not rest:
            found[target.rpartition("#")[0]] = None
        case Mapping():
            found.update((urn, None) for each in value.values() for urn in unknown_urns(each))
        case list() | tuple():
            found.update((urn, None) for each in value for urn in unknown_urns(each))
    return list(found)


def resolve_known(inputs: Mapping[str, Json], outputs: Mapping[str, Mapping[str, Json]]) -> Mapping[str, Json]:
    """`inputs` with the outputs that are known; others stand as unknown."""

    def output(urn: str, name: str) -> Json:
        found = outputs.get(urn, {})
        return found[name] if name in found else unknown(urn, name)

    known: Mapping[str, Json] = resolve(dict(inputs), output)
    return known


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Difference, ...]:
    """Every property that differs or may differ, in order of its path."""
    if _ENCODER.encode(before) == _ENCODER.encode(after):  # by far the most frequent case, and by far the fastest way
        return ()
    found: list[Difference] = []
    for top in sorted({*before, *after}):
        found += _walk(before.get(top, _NOTHING), after.get(top, _NOTHING), top, top)
    return tuple(found)


def change(difference: Difference, *, replaces: bool) -> Change:
    return Change(path=difference.path, before=difference.before, after=difference.after, replaces=replaces)


def show(value: Json) -> str:
    """A value as short text; configuration as `config(KEY)`, another resource's output as `name.output`."""
    match value:
        case _Nothing():
            return ""
        case str():
            return _shorten(value)
        case {"$config": str(key), **rest} if not rest:
            return f"config({key})"
        case {"$ref": str(target), **rest} if not rest:
            return _output(target)
        case {"$unknown": str(target), **rest} if not rest:
            return f"{_output(target)} (known later)"
        case {"$join": list(parts), **rest} if not rest:
            return _shorten("".join(show(part) for part in parts))
        case Mapping():
            return _shorten("{" + ", ".join(f"{key}: {show(each)}" for key, each in sorted(value.items())) + "}")
        case list() | tuple():
            return _shorten("[" + ", ".join(show(each) for each in value) + "]")
    return _shorten(msgspec.json.encode(value).decode())


def name_of(urn: str) -> str:
    """The last part of a urn: what people call the resource."""
    return urn.split("/", 2)[-1]


class _Nothing(msgspec.Struct, frozen=True):
    """The property is not there."""


_NOTHING = _Nothing()


def _walk(before: Json, after: Json, path: str, top: str) -> Iterator[Difference]:
    plain = not _special(before) and not _special(after)
    if plain and isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _walk(before.get(key, _NOTHING), after.get(key, _NOTHING), f"{path}.{key}", top)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for index in range(max(len(before), len(after))):
            yield from _walk(_at(before, index), _at(after, index), f"{path}[{index}]", top)
    elif before != after or type(before) is not type(after):
        # What was not there at all, or is of another form now, differs whatever the unknown part will be.
        waits = unknown_urns(after) if _special(after) and before is not _NOTHING else ()
        if path.startswith(_SECRETS):  # a digest says nothing to people but that the value is another
            yield Difference(path=f"config({path.removeprefix(_SECRETS)})", top=top, before="", after="")
        else:
            yield Difference(path=path, top=top, before=show(before), after=show(after), unknown=tuple(waits))


def _special(value: Json) -> bool:
    """Whether a mapping stands for a value, and has no properties of its own to compare."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ("$config", "$ref", "$unknown", "$join")


def _at(values: list[Json] | tuple[Json, ...], index: int) -> Json:
    return values[index] if index < len(values) else _NOTHING


def _output(target: str) -> str:
    urn, _, output = target.rpartition("#")
    return f"{name_of(urn)}.{output}"


def _shorten(text: str) -> str:
    text = _DIGEST.sub(r"\1…", text.replace("\n", "⏎"))
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def words(names: Iterable[str], verb: str) -> str:
    """ "a changed", "a and b changed", "a, b and 3 more changed"."""
    known = list(dict.fromkeys(names))
    match known:
        case [one]:
            return f"{one} {verb}"
        case [one, two]:
            return f"{one} and {two} {verb}"
        case [one, two, three]:
            return f"{one}, {two} and {three} {verb}"
    return f"{known[0]}, {known[1]} and {len(known) - 2} more {verb}"

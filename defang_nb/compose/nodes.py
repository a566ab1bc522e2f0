"""The tree that a Compose file is read into: plain values, in mappings and lists that know where each of their parts stands.

Children keep their position through every later stage (merge, extends, include), so a finding made at the very end still
points at the line that caused it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from defang_nb.model.source import Position
from defang_nb.model.value import Text

Node = Any
"""None, bool, int, float, str, `Map` or `Seq`."""

Path = tuple[str | int, ...]
"""A place in the model: `("services", "web", "ports", 0)`."""


_NONE: frozenset[str] = frozenset()


class Map(dict[str, Node]):
    """A mapping. `keys_at` and `values_at` hold the position of each key and value; `at` is the mapping's own.

    `resets` are the keys that `!reset` takes away from what is merged below, `overrides` those that `!override` replaces.
    `listed`: it was written as a list of KEY=value, whose keys can't be reset.
    """

    __slots__ = ("at", "keys_at", "listed", "overrides", "resets", "values_at")

    def __init__(self, at: Position | None = None) -> None:
        super().__init__()
        self.at = at
        self.keys_at: dict[str, Position] = {}
        self.values_at: dict[str, Position] = {}
        self.resets = _NONE
        self.overrides = _NONE
        self.listed = False

    def put(self, key: str, value: Node, like: Map | Seq | None = None, name: str | int | None = None) -> None:
        """Set `key`, which stands where `like` has `name` (by default: `key`)."""
        self[key] = value
        if isinstance(like, Map):
            source = key if name is None else str(name)
            if source in like.keys_at:
                self.keys_at[key] = like.keys_at[source]
                self.values_at[key] = like.values_at[source]
        elif isinstance(like, Seq) and isinstance(name, int):
            self.keys_at[key] = self.values_at[key] = like.items_at[name]

    def key_at(self, key: str) -> Position | None:
        return self.keys_at.get(key, self.at)

    def value_at(self, key: str) -> Position | None:
        return self.values_at.get(key, self.at)

    def copy_marks(self, other: Map) -> None:
        """Take over what `other` knows about its keys (not their values)."""
        self.keys_at.update(other.keys_at)
        self.values_at.update(other.values_at)
        self.resets |= other.resets
        self.overrides |= other.overrides


class Seq(list[Node]):
    """A list; `items_at` holds the position of each item."""

    __slots__ = ("at", "items_at")

    def __init__(self, at: Position | None = None) -> None:
        super().__init__()
        self.at = at
        self.items_at: list[Position] = []

    def add(self, value: Node, at: Position) -> None:
        self.append(value)
        self.items_at.append(at)

    @classmethod
    def of(cls, at: Position, values: Iterable[Node]) -> Seq:
        """A list whose items all stand at `at`."""
        made = cls(at)
        for value in values:
            made.add(value, at)
        return made

    def pairs(self) -> Iterator[tuple[Node, Position]]:
        return zip(self, self.items_at, strict=True)


class Timestamp(str):
    """An unquoted date, which the reference does not read as a string."""

    __slots__ = ()


class Symbolic(str):
    """A string with configuration values in it that are known only at deployment; `parts` is its symbolic form.

    As a plain string it reads as Compose text would: `postgres://u:${PASSWORD}@db`.
    """

    parts: Text

    def __new__(cls, parts: Text) -> Symbolic:
        made = super().__new__(cls, "".join(part if isinstance(part, str) else f"${{{part.key}}}" for part in parts))
        made.parts = parts
        return made


def split_text(value: str, separator: str) -> tuple[str, str | None]:
    """`KEY=value` cut at the first `separator`, keeping configuration values in the value symbolic. None: no separator."""
    if not isinstance(value, Symbolic):
        head, found, tail = value.partition(separator)
        return head, tail if found else None
    first = value.parts[0]
    if not isinstance(first, str) or separator not in first:
        return str(value), None
    head, _, rest = first.partition(separator)
    parts: Text = (rest, *value.parts[1:]) if rest else value.parts[1:]
    return head, Symbolic(parts)


def show(path: Path) -> str:
    """`services.web.ports[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def split(path: str) -> Path:
    """The keys of a path as `show` writes it (those with dots in them fall into several)."""
    return tuple(re.findall(r"[^.\[\]]+", path))


def plain(node: Node) -> Node:
    """The node as ordinary dicts, lists and values."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    return str(node) if isinstance(node, str) else node

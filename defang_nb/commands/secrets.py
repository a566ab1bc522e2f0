"""Where `config set` takes a value from, without ever asking for it."""

from __future__ import annotations

from dataclasses import dataclass

from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.errors import UsageError

_SOURCES = "NAME=VALUE, --file FILE, --random, --from-variable NAME (in a notebook), or `NAME -` for stdin (on a command line)"


@dataclass(frozen=True)
class Setting:
    """A value to be set: a literal one, a file's content, or a random one. Its representation never holds the value."""

    name: str
    value: str | None = None
    file: str | None = None
    random: bool = False

    def __repr__(self) -> str:
        return f"Setting({self.name!r})"


def settings(invocation: Invocation, host: Host) -> list[Setting]:
    """One for each name (`--random` takes several). Raises `UsageError` unless each has one source; it never tells a value."""
    first, *more = invocation.words
    flags = [name for name in ("file", "random", "variable") if invocation.values.get(name)]
    pairs = [word for word in invocation.words if "=" in word]
    if pairs:
        if flags or len(pairs) < len(invocation.words):
            raise UsageError("config set takes either NAME=VALUE pairs or one NAME with a source", hint=f"sources: {_SOURCES}")
        return [Setting(name, value) for name, _, value in (pair.partition("=") for pair in pairs)]
    if flags == ["random"] and "-" not in more:
        return [Setting(name, random=True) for name in invocation.words]
    if len(flags) + len(more) != 1:
        said = "more than one source" if flags or more else "no value"
        raise UsageError(f"config set {first} has {said}", hint=f"use one of {_SOURCES}")
    match flags:
        case ["file"]:
            return [Setting(first, file=invocation.text("file"))]
        case ["variable"]:
            return [Setting(first, host.variable(invocation.text("variable") or ""))]
    return [Setting(first, host.stdin().removesuffix("\n") if more == ["-"] else more[0])]


def stands_in_cell(invocation: Invocation, host: Host) -> bool:
    """Whether a value was typed into a notebook's cell, where it will be saved."""
    first, *more = invocation.words
    return any(host.typed(word) for word in ([*invocation.words] if "=" in first else more))


WARNING = (
    "the value stands in this cell, and will be saved with the notebook: clear the cell, and next time use "
    "--from-variable NAME, --file FILE or --random"
)

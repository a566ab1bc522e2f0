"""Completion, from the tree: words before the cursor → candidates for the word at the cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from defang_nb.commands.parse import plain_words, takes_rest
from defang_nb.commands.tree import tree
from defang_nb.commands.words import Arity, Command, Complete, Face, Option

Lookup = Callable[[Complete], Iterable[str]]
"""The names that there are of one sort, as far as they are known without waiting."""


def complete(words: Sequence[str], current: str, lookup: Lookup, face: Face) -> list[str]:
    """What `current` (may be empty) can become after `words` (without the program's name). In the tree's order."""
    command, rest = _command(words, face)
    if command is None:
        return _matching(_next_words(words, face), current) if rest is None else []
    return complete_options(command, rest or [], current, lookup, face)


def complete_options(command: Command, rest: Sequence[str], current: str, lookup: Lookup, face: Face) -> list[str]:
    """The same after a command that is known (a cell magic's line, say)."""
    options = command.options_for(face)
    if current.startswith("--") and "=" in current:
        flag, _, begun = current.partition("=")
        return [f"{flag}={value}" for option in options if flag in option.flags for value in _values(option, begun, lookup)]
    awaited = _awaited(options, rest)
    if awaited is not None:
        return _values(awaited, current, lookup)
    if current.startswith("-"):
        return _matching(_unused_flags(options, rest), current)
    return _positional(command, rest, options, current, lookup)


def _command(words: Sequence[str], face: Face) -> tuple[Command | None, list[str] | None]:
    """The command and the words after it; (None, None) when it isn't complete yet, (None, []) when there is no such."""
    for command in tree(face):
        if tuple(words[: len(command.path)]) == command.path:
            return command, list(words[len(command.path) :])
    begun = any(command.path[: len(words)] == tuple(words) for command in tree(face))
    return None, None if begun else []


def _next_words(words: Sequence[str], face: Face) -> list[str]:
    depth = len(words)
    return list(
        dict.fromkeys(each.path[depth] for each in tree(face) if each.path[:depth] == tuple(words) and len(each.path) > depth)
    )


def _matching(candidates: Iterable[str], begun: str) -> list[str]:
    return [each for each in candidates if each.startswith(begun)]


def _values(option: Option, begun: str, lookup: Lookup) -> list[str]:
    known = option.choices or option.offers
    return _matching(known or (lookup(option.completes) if option.completes is not Complete.NOTHING else ()), begun)


def _awaited(options: Sequence[Option], rest: Sequence[str]) -> Option | None:
    """The option whose value comes next."""
    if not rest:
        return None
    return next((option for option in options if option.metavar and rest[-1] in option.flags), None)


def _unused_flags(options: Sequence[Option], rest: Sequence[str]) -> list[str]:
    used = {word.partition("=")[0] for word in rest}
    free = [option for option in options if option.repeat or not used.intersection(option.flags)]
    return [flag for option in free for flag in option.flags if flag.startswith("--")]


def _positional(command: Command, rest: Sequence[str], options: Sequence[Option], current: str, lookup: Lookup) -> list[str]:
    """The names that fit; where there are none to begin with, the flags (an empty answer would leave room for others')."""
    names: list[str] = []
    given = [word for _, word in plain_words(rest, options)]
    if given and takes_rest(command):
        return []
    if command.arguments and not (given and command.arguments[0].arity in (Arity.ONE, Arity.OPTIONAL)):
        names = [each for each in _matching(lookup(command.arguments[0].completes), current) if each not in given]
    return names or ([] if current else _unused_flags(options, rest))

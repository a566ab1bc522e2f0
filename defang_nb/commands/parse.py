"""From words to an `Invocation`, by the tree. Nothing here ever exits the process or prints."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn

from defang_nb.commands.tree import tree
from defang_nb.commands.words import Argument, Arity, Command, Face, Option
from defang_nb.errors import UsageError


@dataclass(frozen=True)
class Invocation:
    """A command with its values. `help` asks for its help; without a command, for that of the commands below `prefix`."""

    command: Command | None
    values: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    help: bool = False
    prefix: tuple[str, ...] = ()

    def flag(self, name: str) -> bool:
        return bool(self.values.get(name))

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else str(value)

    def number(self, name: str) -> float | None:
        return self.values.get(name)

    def many(self, name: str) -> list[str]:
        return list(self.values.get(name) or ())


def split(line: str) -> list[str]:
    """A line's words, quoted as in a shell. Raises `UsageError`."""
    try:
        return shlex.split(line)
    except ValueError as problem:
        raise UsageError(f"can't read the line: {problem}", hint="quotes come in pairs") from None


def parse(words: Sequence[str], face: Face) -> Invocation:
    """Raises `UsageError`, with the nearest right word as its hint."""
    command, rest = find(words, face)
    if command is None:
        return Invocation(None, help=True, prefix=tuple(rest))
    return _parse_rest(command, rest, face)


def find(words: Sequence[str], face: Face) -> tuple[Command | None, list[str]]:
    """The command that `words` begin with, and the words after it; None where only help is asked for (then: the group)."""
    group: tuple[str, ...] = ()
    known = tree(face)
    for index, word in enumerate(words):
        if word in ("-h", "--help", "help") and index == len(group):
            return None, list(group)
        path = (*group, word)
        for command in known:
            if command.path == path:
                return command, list(words[index + 1 :])
        if not any(command.path[: len(path)] == path for command in known):
            raise _unknown(path, face)
        group = path
    return None, list(group)


def parse_cell(words: Sequence[str], command: Command) -> Invocation:
    """The line of a cell magic. Raises `UsageError`."""
    return _parse_rest(command, words, Face.CELL)


def _unknown(path: tuple[str, ...], face: Face) -> UsageError:
    *group, word = path
    names = dict.fromkeys(command.path[len(group)] for command in tree(face) if command.path[: len(group)] == tuple(group))
    place = " ".join([face.value, *group])
    if word.startswith("-"):
        return UsageError(f"{place}: the command comes first, and {word} is none", hint=f"see {place} --help")
    return UsageError(f"{place} has no command {word!r}", hint=_nearest(word, list(names)) or f"commands: {', '.join(names)}")


def _nearest(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


class _Parser(argparse.ArgumentParser):
    """Options only; raises where the standard one would leave the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", hint=f"see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(each) for each in action.choices]
            hint = _nearest(str(value), known) or f"one of: {', '.join(known)}"
            raise UsageError(f"{self.prog}: {action.option_strings[-1]} can't be {str(value)!r}", hint=hint)


def _parser(command: Command, face: Face) -> _Parser:
    parser = _Parser(prog=command.called(face), add_help=False, allow_abbrev=False)
    for option in command.options_for(face):
        if not option.metavar:
            parser.add_argument(*option.flags, dest=option.dest, action="store_true")
            continue
        parser.add_argument(
            *option.flags,
            dest=option.dest,
            action="append" if option.repeat else "store",
            metavar=option.metavar,
            type=option.kind,
            choices=option.choices or None,
        )
    return parser


def _parse_rest(command: Command, words: Sequence[str], face: Face) -> Invocation:
    parser = _parser(command, face)
    options, literal = _cut(command, list(words), face)
    found, left = parser.parse_known_args(options)
    values = vars(found)
    if values.pop("help"):
        return Invocation(command, help=True)
    flags = [word for word in left if word.startswith("-") and word != "-"]
    if flags:
        known = [flag for option in command.options_for(face) for flag in option.flags]
        flag = flags[0].partition("=")[0]
        raise UsageError(f"{parser.prog} has no option {flag}", hint=_nearest(flag, known) or f"see {parser.prog} --help")
    positional = [*left, *literal]
    _check_count(command, positional, parser.prog)
    return Invocation(command, values, tuple(positional))


def _cut(command: Command, words: list[str], face: Face) -> tuple[list[str], list[str]]:
    """The words that may be flags, and those that are taken as they stand: after `--`, and of a line's rest."""
    if takes_rest(command) and (first := next(plain_words(words, command.options_for(face)), None)) is not None:
        rest = words[first[0] + 1 :]
        return [word for word in words[: first[0]] if word != "--"], [first[1], *(rest[1:] if rest[:1] == ["--"] else rest)]
    if "--" in words:
        cut = words.index("--")
        return words[:cut], words[cut + 1 :]
    return words, []


def takes_rest(command: Command) -> bool:
    return any(each.arity is Arity.REST for each in command.arguments)


def plain_words(words: Sequence[str], options: Sequence[Option]) -> Iterator[tuple[int, str]]:
    """Those that are neither flags nor their values, each with its place."""
    takes = {flag for option in options if option.metavar for flag in option.flags}
    for index, word in enumerate(words):
        if not word.startswith("-") and not (index and words[index - 1] in takes):
            yield index, word


def _check_count(command: Command, words: Sequence[str], prog: str) -> None:
    if takes_rest(command):
        for index, needed in enumerate(command.arguments):
            if len(words) <= index:
                raise UsageError(f"{prog} needs {needed.name}", hint=f"see {prog} --help")
        return
    argument = command.arguments[0] if command.arguments else None
    least, most = _bounds(argument)
    if len(words) < least and argument is not None:
        raise UsageError(f"{prog} needs {argument.name}", hint=f"see {prog} --help")
    if most is not None and len(words) > most:
        raise UsageError(f"{prog} takes no further word {words[most]!r}", hint=f"see {prog} --help")


def _bounds(argument: Argument | None) -> tuple[int, int | None]:
    match argument.arity if argument else None:
        case Arity.ONE:
            return 1, 1
        case Arity.OPTIONAL:
            return 0, 1
        case Arity.MANY:
            return 0, None
        case Arity.SOME:
            return 1, None
    return 0, 0

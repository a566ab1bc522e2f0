"""Reading shell command lines without a shell: splitting a RUN into commands, and `exec` for the last one of `sh -c`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.build.substitution import names, unquote

# Words after which `exec` would change the meaning: they are the shell's own, or open a compound command.
_COMPOUND = frozenset(
    ("if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function")
)
_SIMPLE = frozenset(("cd", "export", "set", "umask", "ulimit", "true", ":"))
_SHELL_WORDS = _COMPOUND | _SIMPLE | frozenset((
    "{", "}", "(", ")", "!", "time", ".", "source", "eval", "exec", "exit", "return", "unset", "trap", "wait", "shift", "read",
    "test", "[", "[[", "false", "alias", "let", "declare", "local",
))  # fmt: skip
# Variables that a container has though no instruction sets them: a base image's, the builder's, the shell's own.
_UNKNOWN = re.compile(r"(PYTHON|NODE|YARN|TARGET|BUILD)\w*|HOME|HOSTNAME|SHLVL|UID|USER")
_OPERATORS = ("&&", "||", ";", "|", "&", "\n")


class UnreadableError(ValueError):
    """A command line that only a shell could make sense of; says what of it."""


class Command(msgspec.Struct, frozen=True):
    """One simple command: its words, variable assignments before it, and the operator that stood before ("" for the first)."""

    words: tuple[str, ...]
    assignments: tuple[tuple[str, str], ...] = ()
    operator: str = ""

    @property
    def text(self) -> str:
        return shlex.join((*(f"{key}={value}" for key, value in self.assignments), *self.words))


def tokens(line: str) -> list[tuple[str, bool]]:
    """`line` as (text, is it an operator) with quotes kept. Raises `UnreadableError` for an unclosed quote."""
    found: list[tuple[str, bool]] = []
    word = ""
    index = 0
    while index < len(line):
        char = line[index]
        if char in "'\"":
            end = _closing(line, index)
            word += line[index : end + 1]
            index = end + 1
        elif char == "\\" and index + 1 < len(line):
            word += line[index : index + 2]
            index += 2
        elif operator := next(
            (each for each in _OPERATORS if line.startswith(each, index) and not _redirects(line, index)), ""
        ):
            found += [(word, False)] if word else []
            found.append((operator, True))
            word = ""
            index += len(operator)
        elif char.isspace():
            found += [(word, False)] if word else []
            word = ""
            index += 1
        elif char == "#" and not word:
            newline = line.find("\n", index)
            index = len(line) if newline < 0 else newline
        else:
            word += char
            index += 1
    return found + ([(word, False)] if word else [])


def split(line: str, variables: Mapping[str, str] | None = None) -> list[Command]:
    """The simple commands of a list joined by `&&`, `;` and newlines, in order; words unquoted, `variables` put in for `$X`.

    Of an `if` that only compares texts (`[ "$X" = y ]`), they are those of the branch that is taken.
    Raises `UnreadableError` for what such a list does not hold: pipes, substitutions, redirections to files, compound commands.
    """
    commands: list[Command] = []
    words: list[str] = []
    operator = ""
    for text, is_operator in [*_decided(tokens(line), variables or {}), (";", True)]:
        if not is_operator:
            words.append(text)
            continue
        if text in ("|", "&"):
            raise UnreadableError("a pipe" if text == "|" else "a command in the background")
        if words:
            commands.append(_command(words, operator, variables or {}))
            operator = ""
        # `a && ; b` can't be, so the first operator after a command is the one that counts.
        operator = operator or ("" if not commands else ";" if text == "\n" else text)
        words = []
    return commands


def _decided(found: list[tuple[str, bool]], variables: Mapping[str, str]) -> list[tuple[str, bool]]:
    """The tokens with every `if` whose test is known replaced by the branch that is taken; another one stays what it is."""
    for start in (index for index, token in enumerate(found) if token == ("if", False) and (not index or found[index - 1][1])):
        rest = found[start:]
        if ("then", False) not in rest or ("fi", False) not in rest:
            break
        then, end = rest.index(("then", False)), rest.index(("fi", False))
        truth = _truth([text for text, is_operator in rest[1:then] if not is_operator or text not in (";", "\n")], variables)
        body = rest[then + 1 : end]
        otherwise = body.index(("else", False)) if ("else", False) in body else len(body)
        if truth is None or any(text in _COMPOUND - {"else"} for text, is_operator in body if not is_operator):
            break
        taken = body[:otherwise] if truth else body[otherwise + 1 :]
        return [*found[:start], *taken, *_decided([*rest[end + 1 :]], variables)]
    return found


def _truth(test: Sequence[str], variables: Mapping[str, str]) -> bool | None:
    """What `[ a = b ]`, `[ a != b ]`, `[ -n a ]` or `[ -z a ]` comes to; None for another test, or with an unknown variable."""
    brackets = {"[": "]", "[[": "]]", "test": ""}
    if not test or test[0] not in brackets or (brackets[test[0]] and test[-1] != brackets[test[0]]):
        return None
    used = [name for word in test for name in names(word)]
    if any("\x00" in variables.get(name, "") or (name not in variables and _UNKNOWN.fullmatch(name)) for name in used):
        return None
    if any("$(" in word or "`" in word for word in test):
        return None
    match [unquote(word, variables) for word in (test[1:-1] if brackets[test[0]] else test[1:])]:
        case [left, "=" | "==", right]:
            return left == right
        case [left, "!=", right]:
            return left != right
        case ["-n", text]:
            return bool(text)
        case ["-z", text]:
            return not text
    return None


def exec_last(script: str) -> str:
    """`script` with `exec` before its last command when that is a plain program; else as it is."""
    try:
        found = tokens(script)
    except UnreadableError:
        return script
    if any(text in ("|", "&", "||") for text, is_operator in found if is_operator):
        return script
    words = [text for text, is_operator in found if not is_operator]
    if any(word in _SHELL_WORDS - _SIMPLE for word in words if _bare(word)):
        return script
    last_operator = max((index for index, (_, is_operator) in enumerate(found) if is_operator), default=-1)
    last = [text for text, _ in found[last_operator + 1 :]]
    if not last or last[0] in _SHELL_WORDS or "=" in last[0] or not _bare(last[0]):
        return script
    if any("$(" in word or "`" in word or "<<" in word for word in words):
        return script
    place = _start_of_last(script, len(last))
    return f"{script[:place]}exec {script[place:]}"


def _bare(word: str) -> bool:
    return not any(char in word for char in "'\"$`(){}*?")


def _start_of_last(script: str, count: int) -> int:
    """Where the last `count` words of `script` begin."""
    pieces = tokens(script)
    place = 0
    for text, _ in pieces[: len(pieces) - count]:
        place = script.index(text, place) + len(text)
    return script.index(pieces[-count][0], place)


def _redirects(line: str, index: int) -> bool:
    """Whether the `&` at `index` belongs to a redirection (`2>&1`, `&>`)."""
    if line[index] != "&" or line.startswith("&&", index):
        return False
    return line[index - 1 : index] in (">", "<") or line[index + 1 : index + 2] == ">"


def _closing(line: str, start: int) -> int:
    quote = line[start]
    index = start + 1
    while index < len(line):
        if line[index] == "\\" and quote == '"':
            index += 2
            continue
        if line[index] == quote:
            return index
        index += 1
    raise UnreadableError(f"a {quote} that is never closed")


def _command(words: Sequence[str], operator: str, variables: Mapping[str, str]) -> Command:
    if operator == "||" and words[0] not in ("true", ":"):
        raise UnreadableError("an alternative (||)")
    kept: list[str] = []
    joined = re.sub(r"(?<![^\x00])(\d?(?:>>?|&>|<))\x00", r"\1", "\x00".join(words)).split("\x00")
    for raw in joined:
        if re.fullmatch(r"\d?(>|>>|&>|<)(/dev/null|&\d)", raw):
            continue
        unquoted = re.sub(r"'[^']*'", "", raw)
        if "$(" in unquoted or "`" in unquoted:
            raise UnreadableError("a command substitution")
        if re.search(r"(?<!\\)[<>]", re.sub(r'"[^"]*"', "", unquoted)):
            raise UnreadableError("a redirection")
        kept.append(raw)
    if not kept:
        raise UnreadableError("a redirection")
    if kept[0] in _SHELL_WORDS - {"cd", "export", "set", "true", ":", "false", "exit"} or kept[0].startswith(("(", "{")):
        raise UnreadableError(f"the shell's {kept[0]!r}")
    assignments: list[tuple[str, str]] = []
    while kept and (match := re.match(r"([A-Za-z_]\w*)=", kept[0])):
        assignments.append((match[1], unquote(kept.pop(0)[match.end() :], variables)))
    return Command(tuple(unquote(each, variables) for each in kept), tuple(assignments), operator)

"""Env files, as the reference reads them (which is neither a shell's way nor python-dotenv's).

`KEY=value`, `KEY: value`, `export KEY=value`; a bare `KEY` takes its value from the surroundings; single quotes are literal,
double quotes know escapes and variables, unquoted values end at ` #`. The format `raw` keeps everything after `=`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from defang_nb.compose.limits import FILLED
from defang_nb.compose.template import Filler, TemplateError
from defang_nb.model.value import ConfigRef

_ESCAPE = re.compile(r'\\(?:[abcfnrtv"\\$]|0[0-7]{0,3})')
_ESCAPES = {"a": "\a", "b": "\b", "c": "\\c", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}

Missing = Callable[[str], str | ConfigRef]


class DotenvError(Exception):
    """A line that can't be read; `line` and `column` count from 1. Its values may be secret: the message repeats none."""

    def __init__(self, message: str, line: int, column: int = 1, hint: str = "write KEY=value") -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.hint = hint


def parse(
    text: str,
    lookup: Callable[[str], str | None],
    missing: Missing,
    *,
    raw: bool = False,
    lines: dict[str, int] | None = None,
) -> dict[str, str]:
    """The file's variables. `lookup` knows the surroundings and wins over earlier lines. Raises DotenvError.

    `lines` is given the line of each.
    """
    text = text.removeprefix("\ufeff")
    places: dict[str, int] = {} if lines is None else lines
    return _parse_raw(text, lookup, places) if raw else _Parser(text, lookup, missing, places).parse()


def _parse_raw(text: str, lookup: Callable[[str], str | None], lines: dict[str, int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        key, separator, value = line.lstrip().partition("=")
        if not key or re.search(r"\s", key):
            raise DotenvError("a variable's name can't be empty, or have blanks in it", number)
        lines[key] = number
        if separator:
            found[key] = value
        elif (known := lookup(key)) is not None:
            found[key] = known
    return found


class _Parser:
    def __init__(self, text: str, lookup: Callable[[str], str | None], missing: Missing, lines: dict[str, int]) -> None:
        self.text = text
        self.lines = lines
        self.counted = (0, 1)
        self.index = 0
        self.filled = 0
        self.found: dict[str, str] = {}
        self.lookup = lookup
        self.filler = Filler(self._value_of, missing)

    def parse(self) -> dict[str, str]:
        while self._skip_blank():
            line = self.line
            key, bare = self._key()
            self.lines[key] = line
            if bare:
                if (known := self._value_of(key)) is not None:
                    self.found[key] = known
                continue
            self.found[key] = self._value()
        return self.found

    def _value_of(self, name: str) -> str | None:
        known = self.lookup(name)
        return self.found.get(name) if known is None else known

    @property
    def line(self) -> int:
        """The line of `index`, which only grows: what was counted once isn't counted again."""
        index, line = self.counted
        line += self.text.count("\n", index, self.index)
        self.counted = self.index, line
        return line

    def _fail(self, message: str, hint: str = "write KEY=value") -> NoReturn:
        raise DotenvError(message, self.line, self.index - self.text.rfind("\n", 0, self.index), hint)

    def _skip_blank(self) -> bool:
        while match := re.compile(r"\s+|#[^\n]*").match(self.text, self.index):
            self.index = match.end()
        return self.index < len(self.text)

    def _key(self) -> tuple[str, bool]:
        if match := re.compile(r"export[ \t]+").match(self.text, self.index):
            self.index = match.end()
        end = re.compile(r"[=:\n]|$").search(self.text, self.index)
        stop = end.start() if end else len(self.text)
        key = self.text[self.index : stop]
        bare = stop >= len(self.text) or self.text[stop] == "\n"
        name = key.rstrip()
        if bad := re.search(r"[^\w.\-\[\]\s]", name):
            self.index += bad.start()
            self._fail(f"unexpected character {bad[0]!r} in a variable's name")
        if re.search(r"\s", name):
            self._fail("a variable's name cannot contain a space")
        if not name:
            self._fail("a variable's name is missing")
        self.index = stop + 1
        return name, bare

    def _value(self) -> str:
        while self.index < len(self.text) and self.text[self.index] in " \t\r\v\f\x85\xa0":
            self.index += 1
        quote = self.text[self.index : self.index + 1]
        if quote in ("'", '"') and quote:
            return self._quoted(quote)
        end = self.text.find("\n", self.index)
        end = len(self.text) if end < 0 else end
        value = self.text[self.index : end]
        value = value.split(" #", 1)[0].rstrip()
        filled = self._fill(value)
        self.index = end
        return filled

    def _quoted(self, quote: str) -> str:
        match = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL).match(self.text, self.index)
        if not match:
            self._fail("the quote is not closed", f"end the value with {quote}")
        value = match[1].replace(f"\\{quote}", quote)
        if quote == '"':
            value = self._fill(_ESCAPE.sub(_unescape, value), 1)
        self.index = match.end()
        return value

    def _fill(self, value: str, start: int = 0) -> str:
        """A value that begins `start` after the index, filled in."""
        try:
            filled = self.filler.fill(value)
            self.filled += len(filled)
            if self.filled > FILLED:
                self._fail("with their variables the values are too large", "use variables less often")
            return filled
        except TemplateError as problem:
            self.index += start + self.filler.offset
            self._fail(str(problem), problem.hint or f"set {problem.name}, or give a default: ${{{problem.name}:-value}}")


def _unescape(match: re.Match[str]) -> str:
    code = match[0][1:]
    if code == "$":
        return "$$"
    return chr(int(code, 8) % 256) if code.startswith("0") else _ESCAPES[code]


def merged(*layers: Mapping[str, str]) -> dict[str, str]:
    """All layers in one; the later wins."""
    return {key: value for layer in layers for key, value in layer.items()}

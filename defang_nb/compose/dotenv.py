"""Env files, as the reference reads them (which is neither a shell's way nor python-dotenv's).

`KEY=value`, `KEY: value`, `export KEY=value`; a bare `KEY` takes its value from the surroundings; single quotes are literal,
double quotes know escapes and variables, unquoted values end at ` #`. The format `raw` keeps everything after `=`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from defang_nb.compose.template import Filler, TemplateError
from defang_nb.model.value import ConfigRef

_ESCAPE = re.compile(r'\\(?:[abcfnrtv"\\$]|0[0-7]{0,3})')
_ESCAPES = {"a": "\a", "b": "\b", "c": "\\c", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}

Missing = Callable[[str], str | ConfigRef]


class DotenvError(Exception):
    """A line that can't be read; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def parse(text: str, lookup: Callable[[str], str | None], missing: Missing, *, raw: bool = False) -> dict[str, str]:
    """The file's variables. `lookup` knows the surroundings and wins over earlier lines. Raises DotenvError."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return _parse_raw(text, lookup) if raw else _Parser(text, lookup, missing).parse()


def _parse_raw(text: str, lookup: Callable[[str], str | None]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        key, separator, value = line.lstrip().partition("=")
        if not key or re.search(r"\s", key):
            raise DotenvError(f"{key!r} is not a variable's name", number)
        if separator:
            found[key] = value
        elif (known := lookup(key)) is not None:
            found[key] = known
    return found


class _Parser:
    def __init__(self, text: str, lookup: Callable[[str], str | None], missing: Missing) -> None:
        self.text = text
        self.index = 0
        self.found: dict[str, str] = {}
        self.lookup = lookup
        self.filler = Filler(self._value_of, missing)

    def parse(self) -> dict[str, str]:
        while self._skip_blank():
            key, bare = self._key()
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
        return self.text.count("\n", 0, self.index) + 1

    def _fail(self, message: str) -> NoReturn:
        raise DotenvError(message, self.line)

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
            self._fail(f"unexpected character {bad[0]!r} in the variable's name {name!r}")
        if re.search(r"\s", name):
            self._fail("a variable's name cannot contain a space")
        if not name:
            self._fail("a variable's name is missing")
        self.index = stop + 1
        return name, bare

    def _value(self) -> str:
        while self.index < len(self.text) and self.text[self.index] in " \t\r\v\f":
            self.index += 1
        quote = self.text[self.index : self.index + 1]
        if quote in ("'", '"') and quote:
            return self._quoted(quote)
        end = self.text.find("\n", self.index)
        end = len(self.text) if end < 0 else end
        value = self.text[self.index : end]
        value = "" if value.startswith("#") and self.text[self.index - 1].isspace() else value.split(" #", 1)[0].rstrip()
        filled = self._fill(value)
        self.index = end
        return filled

    def _quoted(self, quote: str) -> str:
        match = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL).match(self.text, self.index)
        if not match:
            self._fail("the quote is not closed")
        value = match[1].replace(f"\\{quote}", quote)
        if quote == '"':
            value = self._fill(_ESCAPE.sub(_unescape, value))
        self.index = match.end()
        return value

    def _fill(self, value: str) -> str:
        try:
            return self.filler.fill(value)
        except TemplateError as problem:
            self._fail(str(problem))


def _unescape(match: re.Match[str]) -> str:
    code = match[0][1:]
    if code == "$":
        return "$$"
    return chr(int(code, 8) % 256) if code.startswith("0") else _ESCAPES[code]


def merged(*layers: Mapping[str, str]) -> dict[str, str]:
    """All layers in one; the later wins."""
    return {key: value for layer in layers for key, value in layer.items()}

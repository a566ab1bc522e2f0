"""A command given as one string, cut into words as the reference does it (mattn/go-shellwords).

Quotes and backslashes work nearly as in a shell; variables and `$(…)` are not expanded; an unquoted `|`, `;`, `&`, `<` or `>`
ends the command.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[^\\\"'`();&|<>]*")
_SPACES = " \t\r\n"


class WordsError(Exception):
    """A quote is not closed, or parentheses stand where none may."""


def split(text: str) -> list[str]:
    """The words of `text`. Raises WordsError."""
    if _PLAIN.fullmatch(text):
        return [word for word in re.split(f"[{_SPACES}]+", text) if word]
    return _Splitter().split(text)


class _Splitter:
    def __init__(self) -> None:
        self.words: list[str] = []
        self.word = ""
        self.begun = False
        self.open: set[str] = set()
        """Quotes that are not closed yet; `(` stands for `$(…)`."""

    def split(self, text: str) -> list[str]:
        escaped = False
        for sign in text:
            if escaped:
                self._add(sign)
                escaped = False
            elif sign == "\\":
                escaped = "'" not in self.open
                self.word += "" if escaped else sign
            elif sign in _SPACES:
                if self.open:
                    self.word += sign
                else:
                    self._end()
            elif sign in ";&|<>" and not self.open:
                self.begun = self.begun and not (sign == ">" and self.word[:1] in tuple("0123456789"))  # the 2 of `2>`
                break
            else:
                self._sign(sign)
        if escaped:
            raise WordsError("it ends with a backslash")
        if self.open:
            raise WordsError(f"a quote ({min(self.open)}) in it is not closed")
        self._end()
        return self.words

    def _sign(self, sign: str) -> None:
        if sign == '"' and self.open.isdisjoint("'("):
            self._quote(sign)
            return
        if sign == "'" and self.open.isdisjoint('"('):
            self._quote(sign)
            return
        if sign == "`" and self.open.isdisjoint("'\"("):
            self.open ^= {sign}
        if sign in "()" and self.open.isdisjoint("'\"`"):
            if sign == "(" and ("(" in self.open or not self.word.endswith("$")):
                raise WordsError("a parenthesis in it has to be quoted")
            self.open ^= {"("}
        self._add(sign)

    def _quote(self, sign: str) -> None:
        self.begun = self.begun or sign in self.open
        self.open ^= {sign}

    def _add(self, sign: str) -> None:
        self.word += sign
        self.begun = True

    def _end(self) -> None:
        if self.begun:
            self.words.append(self.word)
            self.word, self.begun = "", False

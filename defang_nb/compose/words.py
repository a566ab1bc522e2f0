"""A command given as one string, cut into words as the reference does it (mattn/go-shellwords).

Quotes and backslashes work as in a shell; variables and `$(…)` are not expanded; an unquoted `|`, `;`, `&`, `<` or `>` ends
the command.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<end>\d*[<>]|[;&|])
    | (?P<sub>\$\([^)]*\)|`[^`]*`)
    | (?P<paren>[()])
    | \\(?P<escaped>.)
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | (?P<open>['"\\`])
    | (?P<other>[^\s;&|<>()\\'"`$]+|\$)
    """,
    re.DOTALL | re.VERBOSE,
)


class WordsError(Exception):
    """A quote is not closed, or parentheses stand where none may."""


def split(text: str) -> list[str]:
    """The words of `text`. Raises WordsError."""
    words: list[str] = []
    word: list[str] | None = None
    index = 0
    while match := _TOKEN.match(text, index):
        kind, index = match.lastgroup or "", match.end()
        part = match[kind]
        if kind == "end" and (word is None or part in "<>;&|"):
            break
        if kind == "space":
            words += ["".join(word)] if word is not None else []
            word = None
        elif kind == "paren":
            raise WordsError("a parenthesis in it has to be quoted")
        elif kind == "open":
            raise WordsError("it ends with a backslash" if part == "\\" else f"a quote ({part}) in it is not closed")
        else:
            word = [] if word is None else word
            word.append(re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) if kind == "double" else part)
            if kind == "end":
                word[-1] = part[:-1]
                break
    return [*words, "".join(word)] if word is not None else words

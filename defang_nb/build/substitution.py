"""Variables in Dockerfile instructions: `$X`, `${X}`, `${X:-default}`, `${X:+alternative}`, `${X-d}`, `${X+a}`, `\\$X`.

Source: docs.docker.com/reference/dockerfile, "Environment replacement"; with the pattern forms
(`${X#pattern}` …) of later syntax versions.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping

VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*(?:\}|(?::?[-+?]|##?|%%?|//?)(?:[^{}]|\$\{[^{}]*\})*\}))")
_PARTS = re.compile(r"\$\{([A-Za-z_]\w*)(?:(:?[-+?]|##?|%%?|//?)(.*))?\}", re.DOTALL)


def substitute(text: str, variables: Mapping[str, str], *, escape: str = "\\") -> str:
    """`text` with variables put in; unset ones are empty, and an escaped `$` stays a plain `$`."""
    result = ""
    index = 0
    while index < len(text):
        if text[index] == escape and text[index + 1 : index + 2] == "$":
            result += "$"
            index += 2
        elif text[index] == "$" and (match := VARIABLE.match(text, index)):
            result += _value(match[0], variables)
            index = match.end()
        else:
            result += text[index]
            index += 1
    return result


def unquote(word: str, variables: Mapping[str, str], *, escape: str = "\\") -> str:
    """A word as the shell would read it: quotes and escapes gone, variables put in outside single quotes."""
    result = ""
    index = 0
    quoted = False
    while index < len(word):
        char = word[index]
        if char == "'" and not quoted and (end := word.find("'", index + 1)) > 0:
            result += word[index + 1 : end]
            index = end
        elif char == '"':
            quoted = not quoted
        elif char == escape and index + 1 < len(word) and (not quoted or word[index + 1] in f'"${escape}`'):
            index += 1
            result += word[index]
        elif char == "$" and (match := VARIABLE.match(word, index)):
            result += _value(match[0], variables)
            index = match.end() - 1
        else:
            result += char
        index += 1
    return result


def names(text: str) -> Iterator[str]:
    """The names of the variables that `text` uses."""
    for match in VARIABLE.finditer(text):
        yield re.sub(r"^\$\{?(\w+).*", r"\1", match[0], flags=re.DOTALL)


def _value(expression: str, variables: Mapping[str, str]) -> str:
    if not (match := _PARTS.fullmatch(expression)):
        return variables.get(expression[1:], "")
    name, operator, word = match[1], match[2] or "", match[3] or ""
    value = variables.get(name)
    given = value is not None if not operator.startswith(":") else bool(value)
    match operator.lstrip(":"):
        case "-" | "?":
            return (value or "") if given else substitute(word, variables) if operator.endswith("-") else ""
        case "+":
            return substitute(word, variables) if given else ""
        case "#" | "##" | "%" | "%%":
            return _trimmed(value or "", operator, substitute(word, variables))
        case "/" | "//":
            old, _, new = substitute(word, variables).partition("/")
            return (value or "").replace(old, new, -1 if operator == "//" else 1)
    return value or ""


def _trimmed(value: str, operator: str, pattern: str) -> str:
    """`value` without the shortest (longest, when doubled) prefix (`#`) or suffix (`%`) that fits `pattern`."""
    sizes = range(len(value) + 1) if len(operator) == 1 else range(len(value), -1, -1)
    for size in sizes:
        part = value[:size] if operator[0] == "#" else value[len(value) - size :]
        if fnmatch.fnmatchcase(part, pattern):
            return value[size:] if operator[0] == "#" else value[: len(value) - size]
    return value

"""`$NAME`, `${NAME}`, `${NAME:-default}` and their like: one string at a time.

Source: the Compose specification, "Interpolation", as the reference does it: the operator that comes first wins, defaults are
templates again, what a variable holds is not; `$$` is a `$`; `$1` and a `$` at the end stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from defang_nb.compose.limits import FILLED
from defang_nb.compose.nodes import Symbolic
from defang_nb.model.value import ConfigRef, Text

CONFIG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
_MAX_NESTING = 50


class TemplateError(Exception):
    """The template can't be filled in: `code` says how, `name` which variable it is about."""

    def __init__(self, code: str, message: str, name: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        self.hint = hint


@dataclass
class Filler:
    """How variables are filled in. `missing(name)` says what stands for one that is not set: text, or a ConfigRef.

    When that is asked, or a TemplateError is raised, `offset` is where in the template the variable's `$` stands.
    """

    lookup: Callable[[str], str | None]
    missing: Callable[[str], str | ConfigRef]
    offset: int = 0

    def fill(self, template: str) -> str:
        """The text with its variables put in; a `Symbolic` when some are known only later. Raises TemplateError."""
        if "$" not in template:
            return template
        parts = _join(self._parts(template, 0, 0))
        if all(isinstance(part, str) for part in parts):
            return "".join(part for part in parts if isinstance(part, str))
        return Symbolic(parts)

    def _parts(self, template: str, depth: int, start: int) -> list[str | ConfigRef]:
        """The parts of `template`, which begins at `start` of the one that is filled in."""
        if depth > _MAX_NESTING:
            hint = f"at most {_MAX_NESTING} may stand in each other's defaults"
            raise TemplateError("interpolation-syntax", "variables are nested too deep", hint=hint)
        parts: list[str | ConfigRef] = []
        index = size = 0
        while (dollar := template.find("$", index)) >= 0:
            parts.append(template[index:dollar])
            after = dollar + 1
            if template.startswith("$", after):
                parts.append("$")
                index = after + 1
            elif template.startswith("{", after):
                end = _closing_brace(template, after)
                if end < 0:
                    self.offset = start + dollar
                    raise _syntax(template[dollar:], "the `}` is missing on that line")
                parts += self._braced(template[after + 1 : end], depth, start + dollar)
                index = end + 1
            elif match := _NAME.match(template, after):
                parts.append(self._plain(match[0], start + dollar))
                index = match.end()
            else:
                parts.append("$")
                index = after
            if isinstance(last := parts[-1], str) and len(last) > 1:
                size += len(last)
                if size > FILLED:
                    raise TemplateError("too-large", "with its variables the text is too large", hint="use them less often")
        parts.append(template[index:])
        return parts

    def _plain(self, name: str, dollar: int) -> str | ConfigRef:
        value = self.lookup(name)
        if value is not None:
            return value
        self.offset = dollar
        return self.missing(name)

    def _braced(self, inside: str, depth: int, dollar: int) -> list[str | ConfigRef]:
        match = _NAME.match(inside)
        if not match:
            self.offset = dollar
            raise _syntax(f"${{{inside}}}", "a variable's name has letters, digits and _, and begins with no digit")
        name, rest = match[0], inside[match.end() :]
        if not rest:
            return [self._plain(name, dollar)]
        operator = _OPERATOR.match(rest)
        if not operator:
            self.offset = dollar
            raise _syntax(f"${{{inside}}}", f'after "{name}" comes one of :- - :? ? :+ +')
        word = rest[operator.end() :]
        at = dollar + 2 + len(inside) - len(word)
        value = self.lookup(name)
        usable = value is not None and (value != "" or not operator[0].startswith(":"))
        match operator[0][-1]:
            case "+":
                return self._parts(word, depth + 1, at) if usable else [""]
            case "-":
                return [value or ""] if usable else self._parts(word, depth + 1, at)
        if usable:
            return [value or ""]
        said = "".join(part if isinstance(part, str) else f"${{{part.key}}}" for part in self._parts(word, depth + 1, at))
        self.offset = dollar
        message = f"required variable {name} is missing a value" + (f": {said}" if said else "")
        raise TemplateError("variable-required", message, name)


def _closing_brace(text: str, start: int) -> int:
    """Where the brace at `start` is closed; -1: nowhere.

    As the reference does it: on the same line, not looking at the character after an opening brace, and where the braces
    don't match up, at the last one.
    """
    stop = text.find("\n", start)
    last = text.rfind("}", start, len(text) if stop < 0 else stop)
    name = _NAME.match(text, start + 1)
    if name and text.startswith("}", name.end()):
        return name.end()
    depth, index = 0, start
    while index <= last:
        if text[index] == "{":
            depth += 1
            index += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
        index += 1
    return last


def _syntax(part: str, why: str) -> TemplateError:
    """What follows the name is not repeated, unless it is short and ends: it may be any text, a password's rest too."""
    shown = part if re.fullmatch(r"\$\{[^}:?+-]{0,40}\}", part) else (re.match(r"\$\{\w{0,40}", part) or [""])[0] + "…"
    hint = f"{why}; a `$` that is meant as it is, is written `$$`"
    return TemplateError("interpolation-syntax", f"invalid interpolation {shown}", hint=hint)


def _join(parts: list[str | ConfigRef]) -> Text:
    joined: list[str | ConfigRef] = []
    text: list[str] = []
    for part in [*parts, None]:
        if isinstance(part, str):
            text.append(part)
            continue
        if any(text):
            joined.append("".join(text))
        text = []
        if part is not None:
            joined.append(part)
    return tuple(joined)

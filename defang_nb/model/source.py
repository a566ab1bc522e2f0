"""Where something stands in a source file, and what there is to say about it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Position(msgspec.Struct, frozen=True):
    """A place in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: what is wrong, where, and what to do.

    `path` is the place in the project (`services.web.ports[0]`); `excerpt` is the offending source line, verbatim;
    `code` is a stable kebab-case name that documentation and tests can refer to.
    """

    severity: Severity
    code: str
    message: str
    hint: str = ""
    position: Position | None = None
    path: str = ""
    service: str = ""
    excerpt: str = ""


def format_diagnostic(diagnostic: Diagnostic) -> str:
    """The finding as plain text: `file:line:column: severity: message`, the line with a caret, the hint."""
    where = f"{diagnostic.position}: " if diagnostic.position else ""
    lines = [f"{where}{diagnostic.severity.value}: {diagnostic.message}"]
    if diagnostic.excerpt and diagnostic.position:
        gutter = f"{diagnostic.position.line:>5} | "
        lines.append(f"{gutter}{diagnostic.excerpt}")
        lines.append(" " * (len(gutter) - 2) + "| " + " " * (diagnostic.position.column - 1) + "^")
    if diagnostic.hint:
        lines.append(f"      {diagnostic.hint}")
    return "\n".join(lines)

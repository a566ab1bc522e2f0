"""Where something stands in a source file, and what there is to say about it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from defang_nb.model.excerpt import quoted


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

    `path` is the place in the project (`services.web.ports[0]`); `excerpt` is the offending source line, as `excerpt.excerpt`
    gives it; `code` is a stable kebab-case name that documentation and tests can refer to.
    """

    severity: Severity
    code: str
    message: str
    hint: str = ""
    position: Position | None = None
    path: str = ""
    service: str = ""
    excerpt: str = ""


def is_said(diagnostic: Diagnostic) -> bool:
    """Whether the message names the path already, as it is or as `unknown key "b" in a`."""
    above, _, last = diagnostic.path.rpartition(".")
    return diagnostic.path in diagnostic.message or (above in diagnostic.message and f'"{last}"' in diagnostic.message)


def format_diagnostic(diagnostic: Diagnostic) -> str:
    """The finding as plain text: `file:line:column: severity: message`, the line with a caret, its path, the hint."""
    where = f"{diagnostic.position}: " if diagnostic.position else ""
    lines = [f"{where}{diagnostic.severity.value}: {diagnostic.message}"]
    if diagnostic.excerpt and diagnostic.position:
        gutter = f"{diagnostic.position.line:>5} | "
        text, blanks = quoted(diagnostic.excerpt, diagnostic.position.column)
        lines.append(f"{gutter}{text}")
        lines.append(" " * (len(gutter) - 2) + f"| {blanks}^")
    if diagnostic.path and not is_said(diagnostic):
        lines.append(f"      in {diagnostic.path}")
    if diagnostic.hint:
        lines.append(f"      {diagnostic.hint}")
    return "\n".join(lines)

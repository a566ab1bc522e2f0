"""What is wrong with a Compose file: every finding is collected, placed and quoted, and only then raised."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from defang_nb.compose.nodes import Path, show
from defang_nb.errors import ComposeError
from defang_nb.model.excerpt import excerpt, printable
from defang_nb.model.masking import is_secret_name
from defang_nb.model.source import Diagnostic, Position, Severity

MOST = 1000
"""How many errors, and how many warnings, are told of one load; the rest is counted."""

_LONGEST = 2000


class Problems:
    """The findings of one load. `texts` are the lines of every source that was read, for the excerpts."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.found: list[Diagnostic] = []
        self.broken: set[Path] = set()
        self._around: set[Path] = set()
        self._seen: set[tuple[object, ...]] = set()
        self._count = dict.fromkeys(Severity, 0)

    def add_text(self, file: str, text: str) -> None:
        self.texts[file] = text.splitlines()

    def error(self, code: str, message: str, at: Position | None, path: Path = (), hint: str = "") -> None:
        """Note an error at `path`; whatever stands there is not judged further."""
        self.mark(path)
        self._add(Severity.ERROR, code, message, at, path, hint)

    def warn(self, code: str, message: str, at: Position | None, path: Path = (), hint: str = "") -> None:
        """Note a warning."""
        self._add(Severity.WARNING, code, message, at, path, hint)

    def mark(self, path: Path) -> None:
        """Judge what stands at `path` no further: it is wrong, or follows from what is."""
        self.broken.add(path)
        self._around.update(path[:length] for length in range(len(path) + 1))

    def is_broken(self, path: Path) -> bool:
        """Whether `path`, or a part of it, was found wrong (so that what follows from it is not said again)."""
        return path in self._around

    def is_gone(self, section: str, name: str) -> bool:
        """Whether `name` is missing from its section only since it was found wrong as a whole."""
        return (section, name) in self.broken or (section,) in self.broken

    def raise_errors(self) -> None:
        """Raises ComposeError with all findings, if one of them is an error."""
        errors = [each for each in self.sorted() if each.severity is Severity.ERROR]
        if not errors:
            return
        first, others = errors[0], self._count[Severity.ERROR] - 1
        more = f" (and {others} more)" if others else ""
        file = next(iter(self.texts), "")
        place = f"{first.position}: " if first.position else f"{file}: " if file else ""
        raise ComposeError(f"{place}{first.message}{more}", hint="", diagnostics=self.sorted())

    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(each for each in self.sorted() if each.severity is not Severity.ERROR)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """Findings in the order of the text, file by file; those without a place come first."""
        files = {name: index for index, name in enumerate(self.texts)}

        def order(each: Diagnostic) -> tuple[int, int, int]:
            at = each.position
            return (files.get(at.file, len(files)), at.line, at.column) if at else (-1, 0, 0)

        return tuple(sorted(self.found, key=order))

    def _add(self, severity: Severity, code: str, message: str, at: Position | None, path: Path, hint: str) -> None:
        key = (code, message, at)
        if key in self._seen:
            return
        self._seen.add(key)
        self._count[severity] += 1
        if self._count[severity] > MOST:
            return
        service = str(path[1]) if len(path) > 1 and path[0] == "services" else ""
        self.found.append(
            Diagnostic(
                severity=severity,
                code=code,
                message=_short(printable(message)),
                hint=_short(printable(hint)),
                position=at,
                path=_short(printable(show(path))),
                service=service,
                excerpt=self.excerpt(at, path),
            )
        )

    def excerpt(self, at: Position | None, path: Path = ()) -> str:
        """The line of the source there, as diagnostics quote it: without likely secrets; empty where it isn't known."""
        lines = self.texts.get(at.file, []) if at else []
        if at is None or not 0 < at.line <= len(lines):
            return ""
        return excerpt(
            lines[at.line - 1], at.column, secret=any(isinstance(key, str) and is_secret_name(key) for key in path[2:])
        )


def known_here(names: Iterable[str], what: str) -> str:
    """A hint that lists what there is, or says that there is no `what`."""
    listed = list(names)
    more = f", … ({len(listed)} in all)" if len(listed) > 10 else ""
    return f"known here: {', '.join(listed[:10])}{more}" if listed else f"there is no {what} here"


def beside(at: Position | None, other: Position | None) -> str:
    """` (and at FILE:LINE:COLUMN)`, when what a finding at `at` contradicts stands on another line."""
    if other is None or (at is not None and (at.file, at.line) == (other.file, other.line)):
        return ""
    return f" (see {other})"


def _short(text: str) -> str:
    """Names in a file may be megabytes long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as `did you mean "image"?`; empty when nothing known is near."""
    folded = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f'did you mean "{folded[near[0]]}"?' if near else ""

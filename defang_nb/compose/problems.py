"""What is wrong with a Compose file: every finding is collected, placed and quoted, and only then raised."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn

from defang_nb.compose import limits
from defang_nb.compose.nodes import Path, show
from defang_nb.errors import ComposeError
from defang_nb.model.excerpt import excerpt, printable
from defang_nb.model.masking import is_secret_name, key_of
from defang_nb.model.source import Diagnostic, Position, Severity

_LONGEST = 2000
_LONG_LINE, _LONG_LINES = 1000, 20
"""Of lines that are so long, so many are quoted."""
_LONGEST_WORD = 100
_COMPARED = 150
_MOST_LINES = 200


class Problems:
    """The findings of one load, and how much it came to. `texts` are the lines of every source, for the excerpts.

    After `most` errors the load ends; warnings after as many are left out.
    """

    def __init__(self, most: int = limits.FOUND) -> None:
        self.texts: dict[str, list[str]] = {}
        self.found: list[Diagnostic] = []
        self.broken: set[Path] = set()
        self.written = 0
        self._derived = self._files = self._long_lines = 0
        self._most = most
        self._around: set[Path] = set()
        self._seen: set[tuple[object, ...]] = set()
        self._count = dict.fromkeys(Severity, 0)

    def add_text(self, file: str, text: str) -> None:
        self.texts[file] = text.splitlines()

    def error(self, code: str, message: str, at: Position | None, path: Path = (), hint: str = "") -> None:
        """Note an error at `path`; whatever stands there is not judged further. Raises ComposeError when it is one too many."""
        self.mark(path)
        self._add(Severity.ERROR, code, message, at, path, hint)
        if self._count[Severity.ERROR] >= self._most:
            self.raise_errors()

    def stop(self, code: str, message: str, at: Position | None, path: Path = (), hint: str = "") -> NoReturn:
        """Note an error after which there is no going on. Raises ComposeError."""
        self.error(code, message, at, path, hint)
        self.raise_errors()
        raise AssertionError("an error was noted")

    def write(self, values: int, at: Position | None, path: Path = ()) -> None:
        """Count values that stand in a text. Raises ComposeError when there are too many."""
        self.written += values
        if self.written > limits.WRITTEN:
            message = f"the project has more than {limits.WRITTEN:,} values"
            self.stop("too-large", message, at, path, "make several projects of it")

    def derive(self, values: int, what: str, at: Position | None, path: Path = ()) -> None:
        """Count values that come from others by `what`. Raises ComposeError when there are too many."""
        self._derived += values
        if self._derived > limits.DERIVED + 4 * self.written:
            hint = "a few lines may not stand for a million values: repeat less"
            self.stop("too-large", f"{what} expand to too much here", at, path, hint)

    def open(self, at: Position | None, path: Path) -> None:
        """Count a file that another names. Raises ComposeError when there are too many."""
        self._files += 1
        if self._files > limits.FILES:
            hint = f"at most {limits.FILES:,} may be included or extended: write fewer, larger files"
            self.stop("too-large", "too many files", at, path, hint)

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
        hint = f"the check ended after {self._most:,} errors" if len(errors) >= self._most else ""
        raise ComposeError(f"{place}{first.message}{more}", hint=hint, diagnostics=self.sorted())

    def has_errors(self) -> bool:
        return self._count[Severity.ERROR] > 0

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
        if self._count[severity] > self._most:
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
        line = lines[at.line - 1]
        if len(line) > _LONG_LINE:  # looking for secrets in it takes its time
            self._long_lines += 1
            if self._long_lines > _LONG_LINES:
                return ""
        keys = [*(key for key in path[2:] if isinstance(key, str)), _key_above(lines, at.line - 1)]
        return excerpt(line, at.column, secret=any(map(is_secret_name, keys)))


def _key_above(lines: list[str], index: int) -> str:
    """The key whose value a line without a key may be a part of: the last one above it."""
    if key_of(lines[index]):
        return ""
    near = lines[max(0, index - _MOST_LINES) : index]
    return next((key for line in reversed(near) if (key := key_of(line))), "")


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
    if len(word) > _LONGEST_WORD:
        return ""
    folded: dict[str, str] = {}
    for each in known:
        # Among very many names only those are compared that begin alike: comparing takes its time.
        if len(each) <= _LONGEST_WORD and (len(folded) < _COMPARED or (len(folded) < 2 * _COMPARED and each[:1] == word[:1])):
            folded[each.lower()] = each
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f'did you mean "{folded[near[0]]}"?' if near else ""

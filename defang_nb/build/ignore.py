"""Which files of a context are left out: `.dockerignore` as moby's patternmatcher reads it.

Source: github.com/moby/patternmatcher and docs.docker.com/build/concepts/context, ".dockerignore files".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from defang_nb.errors import BuildError
from defang_nb.model.source import Diagnostic, Position, Severity

DEFAULT = (
    "**/.git", "**/.hg", "**/.svn", "**/__pycache__", "**/*.pyc", "**/.venv", "**/node_modules", "**/.ipynb_checkpoints",
    ".defang", "**/.DS_Store", "**/Thumbs.db", "**/.pytest_cache", "**/.mypy_cache", "**/.ruff_cache", "**/.tox", "**/.nox",
    "**/.direnv", "**/.envrc", "**/.idea", "**/.vscode", "**/*.egg-info", "**/.next", "**/.cache",
    "**/compose.y*ml", "**/compose.*.y*ml", "**/docker-compose.y*ml", "**/docker-compose.*.y*ml",
)  # fmt: skip
"""What is left out when there is no ignore file: Compose files too, so that an edit of one service builds nothing anew.

A notebook (`*.ipynb`) is left out as well, unless the build names one: see `load`.
"""


class Rule:
    """One pattern. `excludes` is False for `!pattern`, which takes back in. Raises `ValueError` for one that is wrong."""

    def __init__(self, pattern: str) -> None:
        self.excludes = not pattern.startswith("!")
        text = _cleaned(pattern.removeprefix("!").strip())
        if not text:
            raise ValueError("an exclamation mark alone takes nothing back")
        self.literal = re.split(r"[*?\[\\]", text, maxsplit=1)[0]
        self.expression = _expression(text)
        self._compiled = re.compile(self.expression, re.DOTALL)

    def matches(self, path: str) -> bool:
        return self._compiled.fullmatch(path) is not None

    def reaches_below(self, folder: str) -> bool:
        """Whether something inside `folder` could match."""
        below = f"{folder}/"
        return below.startswith(self.literal) or self.literal.startswith(below)


class Ignore:
    """The rules of one context; `file` is where they are from ("" for the default), and `text` what is in it.

    Raises `ValueError` with the number of the pattern (from 0) and what is wrong with it.
    """

    def __init__(self, patterns: Sequence[str], file: str = "", text: str = "") -> None:
        self.file = file
        self.text = text
        self.rules: list[Rule] = []
        for number, each in enumerate(patterns):
            try:
                self.rules.append(Rule(each))
            except (ValueError, re.error) as error:
                raise ValueError(number, str(error)) from None
        self._none = (False,) * len(self.rules)
        # Most paths match nothing, which one look at all patterns together tells.
        together = "|".join(f"(?:{rule.expression})" for rule in self.rules)
        self._any = re.compile(together or "(?!)", re.DOTALL)

    def verdicts(self, path: str, parent: Sequence[bool] = ()) -> Sequence[bool]:
        """For each rule whether it applies to `path`: it matches it, or applies to its parent folder (`parent`: that one's).

        A rule that would change nothing, as its turn comes, is not asked and does not apply: so it is in moby too, and shows in
        what is inside of a folder.
        """
        above = parent or self._none
        if above == self._none and not self._any.fullmatch(path):
            return self._none
        excluded = False
        found: list[bool] = []
        for was, rule in zip(above, self.rules, strict=True):
            applies = was or (rule.excludes != excluded and rule.matches(path))
            found.append(applies)
            if applies:
                excluded = rule.excludes
        return tuple(found)

    def excludes(self, verdicts: Sequence[bool]) -> bool:
        """The last rule that applies decides."""
        if verdicts is self._none:
            return False
        return next((rule.excludes for rule, applies in zip(self.rules[::-1], verdicts[::-1], strict=True) if applies), False)

    def prunes(self, folder: str, verdicts: Sequence[bool]) -> bool:
        """Whether `folder` is left out with all that is in it."""
        if not self.excludes(verdicts):
            return False
        return not any(not rule.excludes and rule.reaches_below(folder) for rule in self.rules)


def load(context: Path, dockerfile: str) -> Ignore:
    """`<Dockerfile>.dockerignore` when there is one, else `.dockerignore`, else the default.

    Raises `BuildError` for a pattern that is wrong, with its line.
    """
    for name in ([f"{dockerfile}.dockerignore"] if dockerfile else []) + [".dockerignore"]:
        try:
            text = (context / name).read_text(encoding="utf-8-sig", errors="surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            continue
        lines = patterns(text)
        try:
            return Ignore([line for _, line in lines], name, text)
        except ValueError as error:
            number, said = lines[error.args[0]][0], error.args[1]
            position = Position(name, number)
            message = f"{name}:{number}: the pattern {lines[error.args[0]][1]} can't be read: {said}"
            found = Diagnostic(severity=Severity.ERROR, code="dockerignore", message=message, position=position)
            raise BuildError(message, diagnostics=[found]) from None
    # The notebook that deploys an app changes with every run; it is part of the app only where the build says so.
    return Ignore([*DEFAULT, *([] if _names_notebook(context, dockerfile) else ["*.ipynb"])])


def patterns(text: str) -> list[tuple[int, str]]:
    """The patterns of an ignore file, each with its line."""
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if not line.startswith("#")]
    return [(number, line) for number, line in lines if line]


def _names_notebook(context: Path, dockerfile: str) -> bool:
    for name in (dockerfile, "Procfile"):
        path = context / name
        if name and path.is_file() and ".ipynb" in path.read_text(encoding="utf-8", errors="replace"):
            return True
    return False


def _cleaned(text: str) -> str:
    """Without what a path need not have (`./a//b/` is `a/b`), and from the context's root."""
    if not text:
        return ""
    text = re.sub("/+", "/", posixpath.normpath(text))
    return text[1:] if len(text) > 1 and text.startswith("/") else text


def _expression(pattern: str) -> str:
    """The regular expression of one pattern: `*` and `?` stay within a path segment, `**` does not.

    A pattern that begins with `**` and has nothing special after it fits every path that ends so, in the middle of a name too
    (`**.pyc`); so does one that only ends with `**` with every path that begins so.
    """
    _check(pattern)
    rest = pattern.removeprefix("**")
    if rest != pattern and not re.search(r"[*?\[\]\\]", rest):
        also = f"|{re.escape(rest[1:])}" if rest.startswith("/") else ""
        return f".*{re.escape(rest)}{also}"
    if pattern.endswith("**") and not re.search(r"[*?\[\]\\]", pattern[:-2]):
        return f"{re.escape(pattern[:-2])}.*"
    result = ""
    index = 0
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if char == "*" and pattern[index : index + 1] == "*":
            index += 1
            if pattern[index : index + 1] == "/":
                index += 1
            result += ".*" if index >= len(pattern) else "(?:.*/)?"
        elif char == "\\":
            result += re.escape(pattern[index : index + 1])
            index += 1
        elif char == "[":
            end = _class_end(pattern, index)
            result += "[" + re.sub(r"([\[&~|])", r"\\\1", pattern[index:end]) + "]"
            index = end + 1
        else:
            result += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
    return result


def _check(pattern: str) -> None:
    """What Go's `filepath.Match` calls a bad pattern. Raises `ValueError`."""
    index = 0
    while index < len(pattern):
        if pattern[index] == "\\":
            if index + 1 == len(pattern):
                raise ValueError("a backslash at the end escapes nothing")
            index += 1
        elif pattern[index] == "[":
            index = _class_end(pattern, index + 1)
        index += 1


def _class_end(pattern: str, start: int) -> int:
    """Where the class of characters ends that begins before `start`. Raises `ValueError` when it never does, or is empty."""
    index = start + (pattern[start : start + 1] == "^")
    first = index
    while index < len(pattern):
        if pattern[index] == "]":
            if index == first:
                raise ValueError("a class of characters is empty")
            return index
        index += 2 if pattern[index] == "\\" else 1
    raise ValueError("a class of characters is never closed")

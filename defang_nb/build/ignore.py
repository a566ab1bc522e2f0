"""Which files of a context are left out: `.dockerignore` as moby's patternmatcher reads it.

Source: github.com/moby/patternmatcher and docs.docker.com/build/concepts/context, ".dockerignore files".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

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
    """One pattern. `excludes` is False for `!pattern`, which takes back in."""

    def __init__(self, pattern: str) -> None:
        self.excludes = not pattern.startswith("!")
        text = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
        self.literal = re.split(r"[*?\[\\]", text, maxsplit=1)[0]
        self._expression = re.compile(_expression(text), re.DOTALL)

    def matches(self, path: str) -> bool:
        return self._expression.fullmatch(path) is not None

    def reaches_below(self, folder: str) -> bool:
        """Whether something inside `folder` could match."""
        below = f"{folder}/"
        return below.startswith(self.literal) or self.literal.startswith(below)


class Ignore:
    """The rules of one context; `file` is where they are from ("" for the default)."""

    def __init__(self, patterns: Sequence[str], file: str = "") -> None:
        self.file = file
        self.rules = [Rule(each) for each in patterns if each.removeprefix("!").strip() not in ("", ".", "/")]

    def verdicts(self, path: str, parent: Sequence[bool] = ()) -> tuple[bool, ...]:
        """For each rule whether it applies to `path`: it matches it, or applies to its parent folder (`parent`: that one's)."""
        above = parent or (False,) * len(self.rules)
        return tuple(was or rule.matches(path) for was, rule in zip(above, self.rules, strict=True))

    def excludes(self, verdicts: Sequence[bool]) -> bool:
        """The last rule that applies decides."""
        return next((rule.excludes for rule, applies in zip(self.rules[::-1], verdicts[::-1], strict=True) if applies), False)

    def prunes(self, folder: str, verdicts: Sequence[bool]) -> bool:
        """Whether `folder` is left out with all that is in it."""
        taken_back = any(not rule.excludes and rule.reaches_below(folder) for rule in self.rules)
        return self.excludes(verdicts) and not taken_back


def load(context: Path, dockerfile: str) -> Ignore:
    """`<Dockerfile>.dockerignore` when there is one, else `.dockerignore`, else the default."""
    for name in ([f"{dockerfile}.dockerignore"] if dockerfile else []) + [".dockerignore"]:
        try:
            text = (context / name).read_text(encoding="utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            continue
        return Ignore([line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")], name)
    # The notebook that deploys an app changes with every run; it is part of the app only where the build says so.
    return Ignore([*DEFAULT, *([] if _names_notebook(context, dockerfile) else ["*.ipynb"])])


def _names_notebook(context: Path, dockerfile: str) -> bool:
    for name in (dockerfile, "Procfile"):
        path = context / name
        if name and path.is_file() and ".ipynb" in path.read_text(encoding="utf-8", errors="replace"):
            return True
    return False


def _expression(pattern: str) -> str:
    """The regular expression of one pattern: `*` and `?` stay within a path segment, `**` does not."""
    result = ""
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if pattern.startswith("**", index):
            index += 2
            if pattern[index : index + 1] == "/":
                index += 1
            result += ".*" if index >= len(pattern) else "(?:.*/)?"
            continue
        if char == "[" and (end := pattern.find("]", index + 2)) > 0:
            result += pattern[index : end + 1].replace("[!", "[^").replace("\\", "\\\\")
            index = end
        elif char == "\\" and index + 1 < len(pattern):
            index += 1
            result += re.escape(pattern[index])
        else:
            result += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        index += 1
    return result

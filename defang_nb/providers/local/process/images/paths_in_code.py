"""Code that names absolute container paths (`open("/app/data.csv")`): they are not there when it runs as a process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from defang_nb.model.excerpt import excerpt
from defang_nb.model.source import Diagnostic, Position, Severity

_SUFFIXES = frozenset((".py", ".js", ".mjs", ".cjs", ".ts"))
_ELSEWHERE = frozenset(("node_modules", ".venv", "venv", ".git", "dist", "build", "tests", "test"))
_MOST_FILES = 300
_MOST_BYTES = 200_000
_MOST_FINDINGS = 3


def container_paths(context: Path, folders: Sequence[str], shown: Path) -> Iterator[Diagnostic]:
    """Warnings for string literals in the context's code that begin with one of `folders`; `shown` is the context's name."""
    own = [re.escape(each) for each in folders if each.count("/") >= 1 and each != "/"]
    if not own:
        return
    pattern = re.compile(rf"""["'](?:sqlite:///|file://)?((?:{"|".join(own)})(?:/[^"'\s]*)?)["']""")
    found = 0
    for path in _code(context):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if (match := pattern.search(line)) and not line.lstrip().startswith(("#", "//")):
                yield Diagnostic(
                    severity=Severity.WARNING,
                    code="container-path",
                    message=f"the code names {match[1]}, a path inside a container that is not there without one",
                    hint="use a path relative to the working directory, or an environment variable",
                    position=Position(str(shown / path.relative_to(context)), number, match.start(1) + 1),
                    excerpt=excerpt(line, match.start(1) + 1),
                )
                found += 1
                if found == _MOST_FINDINGS:
                    return


def _code(context: Path) -> Iterator[Path]:
    """Files of code, a bounded number, without what is installed or generated."""
    left = _MOST_FILES
    folders = [context]
    while folders and left:
        folder = folders.pop()
        for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK | os.X_OK) else ():
            if path.is_symlink() or not os.access(path, os.R_OK) or path.name in _ELSEWHERE:
                continue
            if path.is_dir():
                folders.append(path)
            elif path.suffix in _SUFFIXES and path.stat().st_size <= _MOST_BYTES and left:
                left -= 1
                yield path

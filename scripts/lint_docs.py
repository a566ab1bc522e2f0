"""Keep documents and notebooks true: links that lead somewhere, commands that exist, notebooks without outputs.

Prints one line for each problem and exits with 1 when there is any.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from defang_nb.commands.tree import TREE

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
MAKE = re.compile(r"`make ([a-z0-9-]+)[^`]*`")
COMMAND = re.compile(r"(?:%defang|defang-nb) ([a-z]+)(?: ([a-z]+))?")
SCRIPT = re.compile(r"`((?:scripts|tests|notebooks|docs|binder)/[\w./-]+)`")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/")
COMMANDS = {command.path for command in TREE}
CELL_KEYS = {"tags"}
NOTEBOOK_KEYS = {"kernelspec", "language_info"}


def main() -> int:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    problems: list[str] = []
    for path in tracked("*.md"):
        text = path.read_text()
        problems += [f"{name(path)}:{line}: {what}" for line, what in document(path, text, targets)]
    for path in tracked("*.ipynb"):
        problems += [f"{name(path)}: {what}" for what in notebook(path)]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).exists()]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def document(path: Path, text: str, targets: set[str]) -> Iterator[tuple[int, str]]:
    """(line, problem) of one Markdown text that stands at `path`."""
    for number, line in enumerate(text.splitlines(), 1):
        for link in LINK.findall(line):
            if what := broken(path, link):
                yield number, what
        for target in MAKE.findall(line):
            if target not in targets:
                yield number, f"there is no `make {target}`"
        for first, second in COMMAND.findall(line):
            if not any(path[: len(words)] == words for path in COMMANDS for words in ((first,), (first, second))):
                yield number, f"there is no command `{first}`"
        for script in SCRIPT.findall(line):
            if not (ROOT / script).exists():
                yield number, f"there is no {script}"
        if MACHINE_PATH.search(line):
            yield number, "a path of one machine"


def broken(path: Path, link: str) -> str:
    """Why a link leads nowhere, or "". Links to other places on the net are not followed."""
    if re.match(r"[a-z]+:", link):
        return ""
    file, _, anchor = link.partition("#")
    target = (path.parent / file).resolve() if file else path
    if not target.exists():
        return f"link to {link}: there is no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
        return f"link to {link}: there is no such heading"
    return ""


def anchors(text: str) -> set[str]:
    """The headings' anchors as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def notebook(path: Path) -> Iterator[str]:
    """What a committed notebook must not hold: outputs, counts, a machine's metadata; and its texts' dead links."""
    content = json.loads(path.read_text())
    if extra := set(content["metadata"]) - NOTEBOOK_KEYS:
        yield f"metadata {', '.join(sorted(extra))}"
    for cell in content["cells"]:
        where = f"cell {cell.get('id')}"
        if cell.get("outputs") or cell.get("execution_count"):
            yield f"{where} has outputs; clear them"
        if extra := set(cell["metadata"]) - CELL_KEYS:
            yield f"{where} has metadata {', '.join(sorted(extra))}"
        for line, what in document(path, "".join(cell["source"]), set()):
            yield f"{where}, line {line}: {what}"


if __name__ == "__main__":
    sys.exit(main())

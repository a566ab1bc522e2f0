"""Every place in the loader that finds something wrong is provoked: with its file, line, column, path and a hint.

A new place without a case in `audit_cases` fails the last test here.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from defang_nb import compose
from defang_nb.compose import Source, load
from defang_nb.errors import ComposeError
from defang_nb.model.source import Diagnostic
from tests.compose.audit_cases import BOMB, CASES, NO_PLACE, SURROGATE, Case

PACKAGE = Path(compose.__file__).parent
FINDERS = frozenset({
    "error", "warn", "refuse", "wrong_type", "_error", "_exclusive", "_fail", "_syntax", "_SyntaxError", "DotenvError",
    "TemplateError", "PortError", "WordsError", "ValueError",
})  # fmt: skip


def place(case: Case, folder: Path) -> str:
    """The place that the mark stands at, taken away from the files, which are written."""
    found = ""
    for name, text in case.files.items():
        before, mark, after = text.partition("§")
        if mark:
            found = f"{name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        (folder / name).write_bytes((before + after).encode("utf-8", "surrogateescape"))
    return found


def findings(case: Case, folder: Path) -> tuple[Diagnostic, ...]:
    files = [folder / name for name in case.loaded]
    try:
        return load(files, **{"working_dir": folder, "environ": {"HOME": "/h"}, **case.options}).diagnostics
    except ComposeError as error:
        return error.diagnostics


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{n}-{case.code}-{case.path[:40]}") for n, case in enumerate(CASES)])
def test_a_finding_has_its_place_path_and_hint(case: Case, tmp_path: Path) -> None:
    expected = place(case, tmp_path)
    found = findings(case, tmp_path)
    assert (case.code, expected, case.path) in [(each.code, str(each.position or ""), each.path) for each in found]
    for each in found:
        assert each.hint, each
        assert each.position or each.code in NO_PLACE, each
        assert each.excerpt or not expected or not line_of(each, tmp_path), each
        assert "hunter22" not in str(each)
    assert len(found) == 1 or case.code in ("extends-cycle", "yaml-syntax", "wrong-value", "exclusive-keys"), found


def line_of(found: Diagnostic, folder: Path) -> str:
    if found.position is None:
        return ""
    lines = (folder / found.position.file).read_text(errors="replace").splitlines()
    return lines[found.position.line - 1].strip() if found.position.line <= len(lines) else ""


@pytest.mark.parametrize(("text", "code", "line", "path"), [(BOMB, "too-large", 7, "x-f"), (SURROGATE, "yaml-syntax", 2, "")])
def test_texts_that_are_in_no_file(text: str, code: str, line: int, path: str, tmp_path: Path) -> None:
    found = refused(text, tmp_path)
    assert (found.code, found.path.partition("[")[0], bool(found.hint)) == (code, path, True)
    assert found.position is not None
    assert found.position.line == line


def refused(text: str, folder: Path) -> Diagnostic:
    with pytest.raises(ComposeError) as caught:
        load([Source("cell [1]", text)], working_dir=folder, environ={})
    (found,) = caught.value.diagnostics
    return found


def sites() -> Iterator[tuple[str, int, int]]:
    """(file, first line, last line) of every call that notes or raises a finding."""
    for file in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in FINDERS and "aliases expand" not in ast.unparse(node):  # a test of its own; slow when traced
                    yield str(file), node.lineno, node.end_lineno or node.lineno


def test_every_place_that_finds_something_is_provoked(tmp_path: Path) -> None:
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(str(PACKAGE)):
            return None
        seen.add((frame.f_code.co_filename, frame.f_lineno))
        return partial(trace)

    before = sys.gettrace()
    for index, case in enumerate(CASES):
        folder = tmp_path / str(index)
        folder.mkdir()
        place(case, folder)
        sys.settrace(trace)
        try:
            findings(case, folder)
        finally:
            sys.settrace(before)
    sys.settrace(trace)
    try:
        refused(SURROGATE, tmp_path)
    finally:
        sys.settrace(before)
    missed = [
        f"{Path(file).name}:{first}"
        for file, first, last in sites()
        if not any((file, n) in seen for n in range(first, last + 1))
    ]
    assert missed == [], " ".join(missed)

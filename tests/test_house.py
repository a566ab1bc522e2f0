"""The house's own rules that no linter knows: size, docstrings, marked edges, secrets of machines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "defang_nb"
FILE_LINES = 400
FUNCTION_LINES = 60
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "generated" not in path.parts)


def module_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(params=MODULES, ids=module_id)
def module(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    return path


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_file_is_a_room(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= FILE_LINES


def test_a_function_fits_a_screen(module: Path) -> None:
    long = [
        f"{node.name} ({size} lines)"
        for node in functions(ast.parse(module.read_text()))
        if (size := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long


def test_a_module_says_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text()))


def test_a_broad_except_says_why_or_raises_again(module: Path) -> None:
    lines = module.read_text().splitlines()
    handlers = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.ExceptHandler)]
    broad = [node for node in handlers if node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")]
    swallowed = [node for node in broad if not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)]
    assert not [lines[node.lineno - 1] for node in swallowed if "edge: " not in lines[node.lineno - 1]]


def test_nothing_is_left_for_later(module: Path) -> None:
    assert not re.findall(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b", module.read_text())


def test_the_readme_s_exit_codes_are_the_errors_own() -> None:
    from defang_nb import errors

    classes = [it for it in vars(errors).values() if isinstance(it, type) and issubclass(it, errors.DefangError)]
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {str(it.exit_code) for it in classes} == set(rows)
    assert all(getattr(errors, name).exit_code == int(code) for code, name in rows.items())

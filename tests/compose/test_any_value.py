"""Whatever stands at a place: the answer is a project or a refusal with places, never anything else."""

from __future__ import annotations

import pytest

from defang_nb.compose.spec import SERVICE
from defang_nb.compose.spec_top import FILE
from defang_nb.errors import ComposeError

VALUES = [
    "", "null", "true", "0", "-1", "1.5", "text", "''", "'a:b'", "'='", "2024-01-01", ".inf", "[]", "{}", "[1]", "[x, x]",
    "[[]]", "[null]", "[{}]", "['']", "{a: }", "{a: 1}", "{a: []}", "{a: {}}", "{a: {b: c}}", "'${V}'", "'$'", "!reset null",
    "!override [x]", "{path: [1]}", "{service: a}", "{file: gone.yaml, service: a}", "{type: bind}", "{target: 1}",
    "{source: q}",
]  # fmt: skip


@pytest.mark.parametrize("key", SERVICE.fields)
def test_any_value_in_a_service(folder, key: str) -> None:
    for value in VALUES:
        image = "" if key == "image" else "    image: x\n"
        _answers(folder, f"services:\n  a:\n{image}    {key}: {value}\n  b: {{image: y}}\n")


@pytest.mark.parametrize("key", FILE.fields)
def test_any_value_at_the_top(folder, key: str) -> None:
    services = "" if key == "services" else "services: {a: {image: x}}\n"
    for value in VALUES:
        _answers(folder, f"{services}{key}: {value}\n")


def _answers(folder, text: str) -> None:
    for as_compose in (False, True):
        try:
            assert folder.load(text, as_compose=as_compose).project.name
        except ComposeError as refusal:
            assert refusal.diagnostics
            for each in refusal.diagnostics:
                assert each.position is not None, text
                assert each.message, text

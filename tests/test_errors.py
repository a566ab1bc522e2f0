"""What Python itself writes of an error: in a traceback, in a cell of marimo."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from defang_nb.compose import Source, load
from defang_nb.errors import ComposeError, ProviderError


def written(error: BaseException) -> list[str]:
    """The lines below a traceback's frames."""
    return "".join(traceback.format_exception_only(error)).splitlines()


def problem(text: str) -> ComposeError:
    with pytest.raises(ComposeError) as caught:
        load([Source("compose", text)], working_dir=Path(), environ={})
    return caught.value


def test_one_mistake_is_a_line_and_its_hint() -> None:
    assert written(problem("services: {web: {imagee: redis}}")) == [
        'defang_nb.errors.ComposeError: compose:1:18: unknown key "imagee" in services.web',
        'hint: did you mean "image"?',
    ]


def test_further_mistakes_have_lines_of_their_own() -> None:
    lines = written(problem("services:\n  web: {imagee: redis}\n  db: {image: redis, prots: []}\n"))
    assert lines[0].endswith('compose:2:9: unknown key "imagee" in services.web (and 1 more)')
    assert lines[1:] == [
        'hint: did you mean "image"?',
        'compose:3:22: unknown key "prots" in services.db · hint: did you mean "ports"?',
    ]


def test_a_hint_that_was_changed_and_notes_of_others_are_told() -> None:
    error = ProviderError("it refused", hint="the password is hunter2")
    error.add_note("while the tests ran")
    error.hint = "the password is ***"
    assert written(error) == ["defang_nb.errors.ProviderError: it refused", "hint: the password is ***", "while the tests ran"]

"""Where `config set` takes values from; and that they never come out again."""

from __future__ import annotations

import pytest

from defang_nb.commands.parse import parse
from defang_nb.commands.secrets import Setting, settings, stands_in_cell
from defang_nb.commands.words import Face
from defang_nb.errors import UsageError
from defang_nb.notebook.cells import Cells
from defang_nb.notebook.host import NotebookHost

SECRET = "correct-horse-battery"


class Piped:
    """The part of a host that gives values."""

    def stdin(self) -> str:
        return f"{SECRET}\n"

    def variable(self, name: str) -> str:
        return SECRET

    def typed(self, word: str) -> bool:
        return True


def asked(*words: str, face: Face = Face.NOTEBOOK) -> list[Setting]:
    return settings(parse(["config", "set", *words], face), Piped())  # type: ignore[arg-type]


def test_each_source_gives_the_value() -> None:
    assert asked(f"A={SECRET}", "B=") == [Setting("A", SECRET), Setting("B", "")]
    assert asked("A", SECRET) == [Setting("A", SECRET)]
    assert asked("A", "-") == [Setting("A", SECRET)]
    assert asked("A", "--random") == [Setting("A", random=True)]
    assert asked("A", "B", "--random") == [Setting("A", random=True), Setting("B", random=True)]
    assert asked("A", "--file", "token.txt") == [Setting("A", file="token.txt")]
    assert asked("A", "--from-variable", "token") == [Setting("A", SECRET)]


def test_a_value_may_hold_equals_signs() -> None:
    assert asked("A=x=y==") == [Setting("A", "x=y==")]


@pytest.mark.parametrize(
    "words",
    [
        ["A"],
        ["A", SECRET, "more"],
        ["A", "--random", "--file", "f"],
        ["A", "-", "--random"],
        [f"A={SECRET}", "--random"],
        [f"A={SECRET}", "B"],
    ],
)
def test_none_or_several_sources_are_refused_without_telling_a_value(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        asked(*words)
    assert SECRET not in str(caught.value) + caught.value.hint


def test_a_setting_never_shows_its_value() -> None:
    assert SECRET not in repr(Setting("A", SECRET))
    assert SECRET not in str([Setting("A", SECRET)])


def host(variables: dict[str, object], expanded: frozenset[str] = frozenset()) -> NotebookHost:
    return NotebookHost(
        stack="local",
        cells=Cells(),
        variables=lambda: variables,
        link=str,
        kernel=False,
        widgets=False,
        log_lines=10,
        expanded=expanded,
    )


def test_a_variable_must_be_text_and_its_value_is_never_told() -> None:
    assert host({"token": SECRET}).variable("token") == SECRET
    with pytest.raises(UsageError, match="no variable 'other'"):
        host({"token": SECRET}).variable("other")
    with pytest.raises(UsageError) as caught:
        host({"token": [SECRET]}).variable("token")
    assert SECRET not in str(caught.value)


def test_what_was_typed_into_a_cell_is_told_from_what_came_from_a_variable() -> None:
    typed = parse(["config", "set", f"A={SECRET}"], Face.NOTEBOOK)
    assert stands_in_cell(typed, host({}))
    assert not stands_in_cell(typed, host({}, frozenset({f"A={SECRET}"})))
    assert not stands_in_cell(parse(["config", "set", "A", "--random"], Face.NOTEBOOK), host({}))
    assert stands_in_cell(parse(["config", "set", "A", SECRET], Face.NOTEBOOK), host({}))

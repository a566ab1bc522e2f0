"""The quoted line: cut, printable, with its caret below the column, however wide its letters are."""

from __future__ import annotations

import pytest

from defang_nb.model.excerpt import excerpt, printable, quoted
from defang_nb.model.source import Diagnostic, Position, Severity, format_diagnostic
from defang_nb.render.problems import diagnostic_html


def drawn(line: str, column: int) -> tuple[str, str]:
    return quoted(excerpt(line, column), column)


def test_the_caret_is_below_the_column() -> None:
    assert drawn("  image: x", 10) == ("  image: x", " " * 9)
    assert drawn("\ttty: 1", 2) == ("    tty: 1", " " * 4)
    assert drawn("日本: x", 5) == ("日本: x", "\u3000\u3000  ")
    assert drawn("e\u0301: x", 5) == ("e\u0301: x", "   ")


def test_a_column_after_the_end_of_the_line() -> None:
    assert drawn("a:", 5) == ("a:", "    ")


@pytest.mark.parametrize("column", [1, 50, 101, 102, 500, 100_000, 1_000_000])
def test_a_very_long_line_is_cut_around_the_column(column: int) -> None:
    line = "".join(chr(ord("a") + index % 26) for index in range(1_000_000))
    text, blanks = drawn(line, column)
    assert len(text) < 250
    assert text[len(blanks)] == line[column - 1]


def test_what_would_move_the_cursor_is_not_printed() -> None:
    text, blanks = drawn("a: \x1b[31m\u202ered", 9)
    assert text == "a: \ufffd[31m\ufffdred"
    assert blanks == " " * 8
    assert printable("a\x1b[2Jb\nc") == "a\ufffd[2Jb\nc"


def test_a_secret_before_the_column_leaves_the_caret_in_its_place() -> None:
    line = "{PASSWORD: hunter22, a: [1]}"
    text, blanks = drawn(line, line.index("[") + 1)
    assert "hunter22" not in text
    assert text[len(blanks)] == "["


def test_text_and_html_show_the_same() -> None:
    found = Diagnostic(
        severity=Severity.ERROR,
        code="x",
        message="wrong",
        hint="do it right",
        position=Position("a.yaml", 3, 4),
        path="services.a",
        excerpt="日本\t<b>",
    )
    assert format_diagnostic(found).split("\n") == [
        "a.yaml:3:4: error: wrong",
        "    3 | 日本    <b>",
        "      | \u3000\u3000    ^",
        "      in services.a",
        "      do it right",
    ]
    html = diagnostic_html(found)
    assert "日本    &lt;b&gt;" in html
    assert "\u3000\u3000    ^" in html
    assert "a.yaml:3:4 · services.a" in html

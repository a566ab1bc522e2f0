"""Whatever services and builds write, the view stays whole, small, and is never more than text."""

from __future__ import annotations

import pytest

from defang_nb.model.events import BuildLine, LogLine
from defang_nb.model.view import LINE_LENGTH, DeploymentView, Log
from defang_nb.render.html import render_html
from defang_nb.render.logs import KEPT, found_lines, log_pre
from defang_nb.render.text import render_text
from tests.render import story
from tests.render.test_html import Page

MEGABYTE = "x" * 2**20
LINES = (
    "</pre></details></div><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b[2J\x1b[H\x1b]0;title\x07\x1b[?1049hcleared",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mC1 codes\x9d0;t\x9c",
    "\u202eesrever \u2066isolated",
    "nul\x00 bell\x07 back\x08space",
    "&lt;not escaped twice&gt; &amp;",
    "]]><!--",
    "\ud800 lone surrogate",
    MEGABYTE,
    "\x1b[31m" * 200_000,
    "<b>" * 300_000,
    "progress 1%\r" * 50_000 + "progress 100%\r",
    "ERROR " * 100_000,
)


def shown(line: str) -> DeploymentView:
    return story.view(
        (
            *story.OPENING,
            (17.0, BuildLine(urn="shop/image/worker", line=line, services=("worker",))),
            (17.0, LogLine(service="api", line=line)),
        )
    )


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_line_is_text_and_bounded(line: str) -> None:
    view = shown(line)
    html = render_html(view, now=story.START + 20)
    page = Page(html)
    assert not page.named("script")
    assert not page.named("img")
    assert not [each for each in html + render_text(view, now=story.START + 20) if each < " " and each not in "\n\t"]
    assert not any("\x7f" <= each <= "\x9f" or "\u202a" <= each <= "\u202e" for each in html)
    assert len(html) < 100_000
    html.encode()


def test_a_line_of_a_megabyte_says_how_much_is_not_shown() -> None:
    log = Log().append(MEGABYTE)
    assert len(log.lines[0]) < LINE_LENGTH + 50
    assert f"{2**20 - LINE_LENGTH:,} characters more" in log.lines[0]


def test_of_a_line_that_was_redrawn_the_last_state_is_kept() -> None:
    assert Log().append("progress 1%\r" * 50_000 + "progress 100%\r").lines == ("progress 100%",)


def test_an_output_holds_a_bounded_part_of_all_logs_and_says_so() -> None:
    lines = tuple((18.0, LogLine(service=f"s{number % 10}", line="y" * 1500)) for number in range(500))
    html = render_html(story.view((*story.OPENING, *lines)), now=story.START + 20)
    assert len(html) < KEPT + 60_000
    assert "lines dropped" in html


@pytest.mark.parametrize(
    ("line", "tone"),
    [
        ("2026-01-01 ERROR no disk", "bad"),
        ('{"level":"error","msg":"x"}', "bad"),
        ("level=error msg=x", "bad"),
        ("ModuleNotFoundError: No module", "bad"),
        ("[WARN] low", "warn"),
        ("WARNING:root:low", "warn"),
        ("DEBUG detail", "mute"),
        ("0 errors, no warnings found", None),
        ("GET /error 200", None),
        ("TERROR", None),
    ],
)
def test_levels_are_coloured_where_the_line_has_the_word(line: str, tone: str | None) -> None:
    html = log_pre(Log(lines=(line,)), "log")
    assert ("<span class=" in html) == (tone is not None)
    assert tone is None or f'class="{tone}"' in html


def test_what_is_found_is_marked_and_counted() -> None:
    lines = [("web", f"line {number} <Hit>") for number in range(150)] + [("web", "other")]
    html = found_lines(lines, "<hit>", 100)
    page = Page(html)
    assert "150 lines of 151 with “<hit>”" in page.text
    assert "… 50 lines dropped" in page.text
    assert len(page.named("mark")) == 100
    assert "0 lines of 151" in Page(found_lines(lines, ".*", 10)).text, "what is looked for is no pattern"

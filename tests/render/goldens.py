"""What is shown, kept as files that a person can read: one a state and form; `make goldens` writes them anew."""

from __future__ import annotations

import os
import re
from difflib import unified_diff
from html.parser import HTMLParser
from pathlib import Path

import pytest

from defang_nb.render.style import CLASS, STYLE

FOLDER = Path(__file__).parent / "goldens"
RECORD = "RECORD_GOLDENS"
_BREAKS = re.compile(r"(?=<(?:div|section|table|thead|tbody|tr|ol|li|details|summary|svg|h4|pre|path|g>|g |span class=\"n\"))")


def held(name: str, shown: str) -> None:
    """Fails with the differences when `shown` is not what the file `name` holds; with RECORD_GOLDENS set, writes it."""
    file = FOLDER / name
    shown = shown.rstrip() + "\n"
    if os.environ.get(RECORD):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(shown)
        return
    kept = file.read_text() if file.exists() else ""
    if kept != shown:
        lines = unified_diff(kept.splitlines(), shown.splitlines(), f"{name} (kept)", f"{name} (now)", lineterm="", n=2)
        pytest.fail("\n".join([*lines, "", "if this is what is meant: make goldens"]), pytrace=False)


def markup(html: str) -> str:
    """HTML as lines, without the stylesheet, whose class is called `view`."""
    plain = html.replace(STYLE, "").replace(CLASS, "view")
    return "\n".join(line for line in _BREAKS.sub("\n", plain).splitlines() if line)


class _Words(HTMLParser):
    """What a reader sees of HTML: a line a block, cells set apart, folds and links marked."""

    BLOCKS = frozenset(("div", "section", "tr", "li", "details", "summary", "h4", "pre", "ol", "table"))

    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "span":
            self.out.append(" ")
        if tag in self.BLOCKS:
            self.out.append("\n")
        if tag in ("td", "th"):
            self.out.append(" | ")
        if tag == "details":
            self.out.append("▾ " if "open" in known else "▸ ")
        if tag == "svg":
            self.out.append(f"\n[picture: {known.get('aria-label')}]\n")
        if tag == "a":
            self.out.append(f"[{known.get('href')}] ")

    def handle_data(self, data: str) -> None:
        self.out.append(data)


def words(html: str) -> list[str]:
    reader = _Words()
    reader.feed(html.replace(STYLE, ""))
    text = re.sub(r"▸ \n|▾ \n", lambda found: found[0][0] + " ", "".join(reader.out))
    return [re.sub("  +", " ", line).strip().removeprefix("| ") for line in text.splitlines() if line.strip()]

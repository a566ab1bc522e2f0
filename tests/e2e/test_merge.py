"""The extension's merging, in a browser without JupyterLab: in the end the page holds what was sent, node by node."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

import defang_nb.notebook
from tests.e2e.test_views import VIEWS

pytestmark = pytest.mark.e2e

MERGE = Path(defang_nb.notebook.__file__).parent / "labextension" / "static" / "merge.js"
SHOW = """html => { document.querySelector("#place").innerHTML = html && `<defang-live>${html}</defang-live>` }"""
SAME = """html => {
  const fresh = document.createElement("template")
  fresh.innerHTML = html && `<defang-live>${html}</defang-live>`
  const wanted = document.createElement("div")
  wanted.append(fresh.content)
  const there = document.querySelector("#place").cloneNode(true)
  there.removeAttribute("id")
  for (const each of [there, wanted]) each.querySelectorAll("details").forEach(one => one.removeAttribute("open"))
  return there.isEqualNode(wanted)
}"""


@pytest.fixture
def place(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_content("<div id=place></div>")
    page.add_script_tag(type="module", content=MERGE.read_text() + "plugin.activate(); window.ready = true")
    page.wait_for_function("window.ready")
    yield page
    page.close()


def test_every_view_becomes_every_other(place: Page) -> None:
    for before, after in itertools.permutations(VIEWS, 2):
        place.evaluate(SHOW, VIEWS[before])
        place.evaluate(SHOW, VIEWS[after])
        assert place.evaluate(SAME, VIEWS[after]), f"{before} → {after}"


def test_any_html_becomes_any_other(place: Page) -> None:
    chance = random.Random(7)
    for _ in range(400):
        html = "".join(some_html(chance, 3) for _ in range(chance.randrange(4)))
        place.evaluate(SHOW, html)
        assert place.evaluate(SAME, html), html


def some_html(chance: random.Random, depth: int) -> str:
    """A few kinds of nodes that often are the same, so that much is kept, moved and dropped."""
    if not depth or chance.random() < 0.3:
        return chance.choice(["a", "b", " ", "", "<br>", "<!--c-->", "&amp;"])
    name = chance.choice(["span", "div", "p", "details", "svg"])
    marks = "".join(f' {each}="{chance.randrange(2)}"' for each in ("class", "title", "data-n") if chance.random() < 0.4)
    return f"<{name}{marks}>{''.join(some_html(chance, depth - 1) for _ in range(chance.randrange(4)))}</{name}>"


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("<p>a</p><p id=it>b</p>", "<p>a</p><p>c</p><p id=it>b</p>", "what comes before it"),
        ("<p>a</p><p id=it>b</p>", "<p id=it>b</p>", "what goes before it"),
        ("<p id=it>a</p>", "<p id=it class=x>b <b>c</b></p>", "its own attributes and content"),
        ("<p>1</p><p>2</p><p id=it>3</p>", "<p>2</p><p id=it>3</p><p>4</p>", "lines that move on"),
    ],
)
def test_a_node_outlives(place: Page, before: str, after: str, kept: str) -> None:
    place.evaluate(SHOW, before)
    place.evaluate("window.it = document.querySelector('#it')")
    place.evaluate(SHOW, after)
    assert place.evaluate("window.it === document.querySelector('#it')"), kept


def test_a_fold_is_the_readers(place: Page) -> None:
    place.evaluate(SHOW, "<details><summary>more</summary>a</details>")
    place.locator("summary").click()
    place.evaluate(SHOW, "<details><summary>more</summary>b</details>")
    assert place.evaluate("document.querySelector('details').open")
    place.locator("summary").click()
    place.evaluate(SHOW, "<details open><summary>more</summary>c</details>")
    assert not place.evaluate("document.querySelector('details').open")

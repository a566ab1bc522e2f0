"""A live view while its deployment goes on: what a reader does in it survives every update, and they are told what is news."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.axe import serious
from tests.e2e.test_lab import UP_TIMEOUT, choose_theme, close_notebook, menu, open_notebook, picture, write_notebook
from tests.e2e.test_session import LOAD, focused, go_on, ours, output

if TYPE_CHECKING:
    from tests.e2e.jupyter import Lab

pytestmark = pytest.mark.e2e

COMPOSE = """%%compose
name: {name}
services:
  front:
    build: ./{name}/front
    ports: [{{target: 8000, mode: ingress}}]
  slow:
    build: ./{name}/slow
    depends_on: [front]
"""
SLOW = 'FROM python:3-slim\nCOPY . .\nRUN python wait.py\nCMD ["sleep", "infinity"]\n'
FRONT = 'FROM python:3-slim\nWORKDIR /app\nCOPY . .\nCMD ["python", "-m", "http.server", "8000"]\n'
WRITES = """import pathlib, time
number = 0
while not pathlib.Path({gate!r}).exists():
    number += 1
    print("line", number, flush=True)
    time.sleep(0.05 if number < 60 else 0.4)
"""


@contextlib.contextmanager
def going(lab: Lab, page: Page, name: str) -> Iterator[Locator]:
    """The view of a deployment whose first service is live and whose second is built, and writes, until `go_on`."""
    files = {
        "front/Dockerfile": FRONT,
        "slow/Dockerfile": SLOW,
        "slow/wait.py": WRITES.format(gate=str(lab.folder / f"open-{name}")),
    }
    for file, text in files.items():
        (lab.folder / name / file).parent.mkdir(parents=True, exist_ok=True)
        (lab.folder / name / file).write_text(text)
    write_notebook(lab.folder / f"{name}.ipynb", LOAD, COMPOSE.format(name=name).strip(), "dep = %defang up")
    open_notebook(page, lab, f"{name}.ipynb")
    menu(page, "Run", "Run All Cells")
    view = output(page, "dep = %defang up")
    try:
        expect(view.get_by_role("link", name="Open front")).to_be_visible(timeout=UP_TIMEOUT)
        expect(view.locator(".title.shown")).to_have_count(1)
        if not view.get_by_role("log", name="slow build").count():
            build(view).click()
        expect(view.get_by_role("log", name="slow build")).to_contain_text("line 70")
        yield view
    finally:
        go_on(lab, name)
    expect(view.get_by_role("button", name="Redeploy")).to_be_visible(timeout=UP_TIMEOUT)
    close_notebook(page, lab)


def build(view: Locator) -> Locator:
    return view.get_by_role("button", name=re.compile("^slow build"))


def plan(view: Locator) -> Locator:
    return view.get_by_role("button", name=re.compile("^plan"))


def some_updates(view: Locator, number: int = 3) -> None:
    """Until the clock has gone on so many times."""
    clock = view.locator(".head .keep")
    for _ in range(number):
        said = clock.inner_text()
        expect(clock).not_to_have_text(said)


def test_focus_selection_folds_and_scroll_stay_while_the_view_goes_on(shared_lab: Lab, page: Page) -> None:
    with going(shared_lab, page, "kept") as view:
        for link in (view.get_by_role("link", name="Open front"), view.get_by_role("link", name=re.compile(r"^127\.0\.0\.1:"))):
            link.focus()
            some_updates(view)
            expect(link).to_be_focused()

        name = view.get_by_role("rowheader", name="front")
        name.select_text()
        some_updates(view)
        assert page.evaluate("getSelection().toString().trim()") == "front"

        view.get_by_role("list", name="Timeline").focus()
        some_updates(view)
        expect(view.get_by_role("list", name="Timeline")).to_be_focused()

        plan(view).click()
        expect(plan(view)).to_be_focused()
        expect(view).to_contain_text("new in the project")
        some_updates(view)
        expect(plan(view)).to_be_focused()
        build(view).click()
        expect(build(view)).to_be_focused()
        expect(view).not_to_contain_text("new in the project")

        # A log shows its end as it grows; who scrolls back in it stays there, with what is selected.
        log = view.get_by_role("log")
        place = "each => { const all = [...each.querySelectorAll('.lines > span')]; const box = each.getBoundingClientRect();"
        last = f"{place} return all.at(-1).getBoundingClientRect().bottom <= box.bottom + 1 }}"
        some_updates(view)
        assert log.evaluate(last)
        log.focus()
        for _ in range(3):
            page.keyboard.press("PageUp")
            page.wait_for_timeout(300)  # it scrolls smoothly
        seen = log.evaluate(f"{place} return all.find(one => one.getBoundingClientRect().top >= box.top).textContent }}")
        line = log.locator(".lines > span", has_text=seen.strip()).first
        line.select_text()
        top = line.evaluate("each => each.getBoundingClientRect().top - each.closest('pre').getBoundingClientRect().top")
        some_updates(view)
        assert not log.evaluate(last)
        assert page.evaluate("getSelection().toString().trim()") == seen.strip()
        now = line.evaluate("each => each.getBoundingClientRect().top - each.closest('pre').getBoundingClientRect().top")
        assert abs(now - top) < 2, "the line stays where it was read"
        expect(log).to_be_focused()

        search = view.get_by_label("Search logs")
        search.fill("line 6")
        some_updates(view)
        expect(search).to_be_focused()
        expect(search).to_have_value("line 6")


LISTEN = """
window.told = []; window.drawn = []
new MutationObserver(all => all.forEach(each => {
  const at = each.target.nodeType === 1 ? each.target : each.target.parentElement
  if (!at?.closest(".defang-nb-controls")) return
  const live = at.closest("[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]")
  if (live) window.told.push(live.textContent.trim())
  for (const node of [...each.addedNodes, ...each.removedNodes])
    if (node.nodeType === 1 && !at.closest(".ax")) window.drawn.push(node.outerHTML.slice(0, 80))
})).observe(document.body, {childList: true, characterData: true, subtree: true})
"""


def test_a_screen_reader_is_told_each_stage_and_nothing_else(shared_lab: Lab, page: Page) -> None:
    with going(shared_lab, page, "told") as view:
        choose_theme(page, "dark")
        expect(view.locator(".state")).to_have_text("◐ provisioning")
        plan(view).click()
        expect(view).to_contain_text("new in the project")
        page.evaluate(LISTEN)
        some_updates(view, 4)
        assert page.evaluate("window.told") == [], "while the stage is the same"
        assert page.evaluate("window.drawn") == [], "while only time goes on, only marks of its scale come and go"
        assert ours(serious(page, ".jp-OutputArea .defang-nb-controls")) == []
        picture(page, view, "live-view-dark")
        choose_theme(page, "light")
        assert ours(serious(page, ".jp-OutputArea .defang-nb-controls")) == []
        picture(page, view, "live-view-light")

        view.get_by_role("button", name="Cancel").focus()
        reached: list[str] = []
        while not reached or not reached[-1].startswith("slow build"):
            reached.append(focused(page))
            page.keyboard.press("Tab")
        names = [each.partition("|")[0] for each in reached]
        assert names[:5] == ["Cancel", "Detach", "Search logs", "Open front ↗", "Services"]
        assert [each for each in ("Timeline", "plan") if not any(name.startswith(each) for name in names)] == []
        assert [each for each in reached if each.endswith("|unseen")] == []

        page.evaluate("window.told = []")
        go_on(shared_lab, "told")
        expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
        told = page.evaluate("window.told")
        assert set(told) <= {"◐ waiting until healthy", "✔ live"}
        assert len(told) == len(set(told)), "each once"


def test_nothing_jumps_when_the_end_takes_the_live_views_place(shared_lab: Lab, page: Page) -> None:
    with going(shared_lab, page, "jump") as view:
        build(view).click()  # what is open is closed in what stays
        before = {
            name: view.locator(name).bounding_box() for name in (".head", "h4 >> nth=0", "tbody tr >> nth=0", ".widget-text")
        }
        page.evaluate(
            """() => {
            window.heights = []
            const area = document.querySelector(".jp-OutputArea:has(.defang-nb-controls)")
            new ResizeObserver(() => window.heights.push(area.getBoundingClientRect().height)).observe(area)
        }"""
        )
        go_on(shared_lab, "jump")
        expect(view.get_by_role("button", name="Redeploy")).to_be_visible(timeout=UP_TIMEOUT)
        after = {name: view.locator(name).bounding_box() for name in before}
        for name, box in before.items():
            here = after[name]
            assert box is not None and here is not None
            assert (box["x"], box["width"]) == pytest.approx((here["x"], here["width"]), abs=2), name
            assert box["y"] == pytest.approx(here["y"], abs=2), name
        heights = page.evaluate("window.heights")
        assert max(heights) - min(heights) < 60, "never both views, and never none"

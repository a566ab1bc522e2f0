"""The notebooks as people see them: a real JupyterLab in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from tests.e2e.jupyter import Lab

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
UP_TIMEOUT = 180_000
"""Milliseconds for an `up` that may have to download packages."""
LOST = re.compile("Error displaying widget|model not found", re.IGNORECASE)
pytestmark = pytest.mark.e2e

LONG = """
%%compose
name: long
services:
  web:
    build: ./long
    ports:
      - target: 8000
"""
LONG_DOCKERFILE = """
FROM python:3-slim
WORKDIR /app
COPY . .
RUN python -c "import time; print('this takes its time', flush=True); time.sleep(120)"
CMD ["python", "-m", "http.server", "8000"]
"""


def open_notebook(page: Page, lab: Lab, name: str) -> None:
    idle = page.locator("#jp-main-statusbar", has_text=re.compile(r"Python 3 \(ipykernel\) \| Idle"))
    go_to(page, lab.address(name), idle)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()


def go_to(page: Page, address: str, ready: Locator) -> None:
    """JupyterLab gives its theme a second and a half. On a busy machine that comes later: then the page is loaded again."""
    late = page.get_by_role("dialog", name=re.compile("^Error Loading Theme"))
    for _ in range(10):
        page.goto(address)
        expect(ready.or_(late).first).to_be_visible()
        if not late.count():
            return


def menu(page: Page, *labels: str) -> None:
    page.get_by_role("menubar").get_by_role("menuitem", name=labels[0], exact=True).click()
    for label in labels[1:]:
        page.locator(".lm-Menu-itemLabel").get_by_text(label, exact=True).click()


def choose_theme(page: Page, theme: str) -> None:
    menu(page, "Settings", "Theme", f"JupyterLab {theme.title()}")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "true" if theme == "light" else "false")


def cell(page: Page, source: str) -> Locator:
    """The code cell whose text holds `source`."""
    return page.locator(".jp-CodeCell").filter(has=page.locator(".jp-InputArea-editor", has_text=source))


def save(page: Page) -> None:
    """Until there is nothing to save: what a view shows last may come a moment after what a test waited for."""
    unsaved = page.locator(".lm-TabBar-tab.jp-mod-dirty")
    page.keyboard.press("Escape")
    for left in reversed(range(10)):
        page.keyboard.press("Control+s")
        try:
            expect(unsaved).to_have_count(0, timeout=6_000)
            return
        except AssertionError:
            if not left:
                raise


def close_notebook(page: Page, lab: Lab) -> None:
    """Leave the page and shut the kernel down, as when one goes home."""
    page.goto("about:blank")
    lab.shut_kernels_down()


def picture(page: Page, output: Locator, name: str) -> None:
    output.scroll_into_view_if_needed()
    page.screenshot(path=ARTIFACTS / f"{name}.png")


def test_quickstart_goes_live_is_clicked_saved_and_reopened(lab: Lab, page: Page) -> None:
    open_notebook(page, lab, "quickstart.ipynb")
    cell(page, "%defang down").locator(".jp-InputArea-editor").click()
    menu(page, "Run", "Run All Above Selected Cell")
    view = cell(page, "dep = %defang up").locator(".jp-OutputArea")
    link = view.locator("a[href^='http']").first
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    expect(cell(page, "urlopen")).to_contain_text("Hello, notebook!")
    expect(cell(page, "%defang ps").locator(".jp-OutputArea")).to_contain_text("running")
    for theme in ("light", "dark"):
        choose_theme(page, theme)
        picture(page, view, f"quickstart-{theme}")
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value.locator("body")).to_contain_text("Hello, notebook!")
    opened.value.close()
    area = cell(page, "dep = %defang up")
    area.get_by_label("Search logs").first.fill("hello")
    area.get_by_label("Search logs").first.press("Enter")
    expect(area).to_contain_text("with “hello”")
    first = view.locator(".head .mono").first.inner_text()
    area.get_by_role("button", name="Redeploy").click()
    expect(view.locator(".head .mono").last).not_to_have_text(first)
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    expect(area.get_by_role("button", name="Rollback")).to_be_enabled()
    picture(page, view, "quickstart-redeployed")
    cell(page, "%defang down").locator(".jp-InputArea-editor").click()
    page.keyboard.press("Shift+Enter")
    expect(cell(page, "%defang down").locator(".jp-OutputArea")).to_contain_text("✔ down")
    save(page)
    close_notebook(page, lab)
    assert "Hello, notebook!" in (lab.folder / "quickstart.ipynb").read_text()

    page.goto(lab.address("quickstart.ipynb"))
    expect(view).to_contain_text("✔ live")
    expect(view).to_contain_text("hello")
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)  # only then are lost widgets known
    expect(page.locator(".jp-Notebook")).not_to_contain_text("Loading widget", use_inner_text=True)
    expect(page.locator(".jp-Notebook")).not_to_contain_text(LOST, use_inner_text=True)
    picture(page, view, "quickstart-reopened")


def test_a_long_deployment_is_cancelled_by_its_button(lab: Lab, page: Page) -> None:
    (lab.folder / "long").mkdir()
    (lab.folder / "long" / "Dockerfile").write_text(LONG_DOCKERFILE)
    write_notebook(lab.folder / "long.ipynb", "%load_ext defang_nb", LONG.strip(), "dep = %defang up")
    open_notebook(page, lab, "long.ipynb")
    menu(page, "Run", "Run All Cells")
    view = cell(page, "dep = %defang up").locator(".jp-OutputArea").first
    expect(view).to_contain_text("this takes its time", timeout=UP_TIMEOUT)
    picture(page, view, "cancel-before")
    view.get_by_role("button", name="Cancel").click()
    expect(view).to_contain_text("cancelled")
    expect(view.get_by_role("button", name="Cancel")).to_have_count(0)
    save(page)
    close_notebook(page, lab)

    page.goto(lab.address("long.ipynb"))
    expect(view).to_contain_text("cancelled")
    expect(page.locator(".jp-Notebook")).not_to_contain_text(LOST)
    picture(page, view, "cancel-reopened")


def test_a_wrong_key_is_shown_with_its_place(lab: Lab, page: Page) -> None:
    text = "%%compose\nname: wrong\nservices:\n  web:\n    imagee: python:3\n"
    write_notebook(lab.folder / "wrong.ipynb", "%load_ext defang_nb", text)
    open_notebook(page, lab, "wrong.ipynb")
    menu(page, "Run", "Run All Cells")
    output = cell(page, "imagee").locator(".jp-OutputArea")
    expect(output).to_contain_text("imagee")
    expect(output).to_contain_text(re.compile(r":\d+:\d+"))
    expect(output).not_to_contain_text("Traceback")
    picture(page, output, "wrong-key")


def write_notebook(path: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.metadata = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    notebook.cells = [nbformat.v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(cells)]
    nbformat.write(notebook, path)


COMPOSE_CELL = """%%compose shop
services:
  web:
    image: "redis:7"   # a comment
"""


def test_compose_cells_are_coloured(page: Page, lab: Lab) -> None:
    cells = [nbformat.v4.new_code_cell(COMPOSE_CELL), nbformat.v4.new_code_cell("def f():\n    return None\n")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.folder / "colours.ipynb")
    open_notebook(page, lab, "colours.ipynb")
    compose, python = cell(page, "%%compose"), cell(page, "def f")
    key = compose.locator(".cm-line span", has_text=re.compile("^services$"))
    comment = compose.locator(".cm-line span", has_text=re.compile("^# a comment$"))
    expect(key).to_be_visible()
    expect(comment).to_be_visible()
    plain = python.locator(".cm-line").first.evaluate("each => getComputedStyle(each).color")
    assert key.evaluate("each => getComputedStyle(each).color") != plain
    keyword = python.locator(".cm-line span", has_text=re.compile("^def$"))
    expect(keyword).to_have_css("font-weight", "700")
    page.screenshot(path=ARTIFACTS / "colours.png")
    # A cell that stops being a Compose cell is Python again, and the other way round.
    python.locator(".cm-content").click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("%%compose\n")
    expect(keyword).to_have_css("font-weight", "400")
    page.keyboard.press("Control+Home")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Delete")
    expect(keyword).to_have_css("font-weight", "700")

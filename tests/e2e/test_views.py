"""The views in a real browser: what axe-core finds, light and dark, narrow and wide; the dashboard in JupyterLab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

from defang_nb.model.status import Usage
from defang_nb.model.view import Log
from defang_nb.notebook.live import brief
from defang_nb.render.html import render_html
from defang_nb.render.listings import config_table, deployments_table, status_table
from defang_nb.render.logs import found_lines, log_pre
from defang_nb.render.markup import card
from defang_nb.render.overview import overview_html
from defang_nb.render.tables import table_html
from defang_nb.render.usage import History, usage_html
from tests.e2e.axe import serious
from tests.e2e.test_lab import (
    ARTIFACTS,
    LOST,
    UP_TIMEOUT,
    cell,
    close_notebook,
    menu,
    open_notebook,
    picture,
    save,
    write_notebook,
)
from tests.render import story
from tests.render.states import STATES
from tests.render.test_overview import OVERVIEW

if TYPE_CHECKING:
    from tests.e2e.jupyter import Lab

pytestmark = pytest.mark.e2e

THEMES = {"light": ("#ffffff", "#1f2328"), "dark": ("#111111", "#e8e8e8")}


def used() -> History:
    history = History("shop → local")
    for second in range(40):
        history.add([Usage(service="web", replica=1, time=second, cpu=second / 50, memory=2**24 + second * 2**18, processes=3)])
    return history


VIEWS = {
    **{name: render_html(state.view, now=state.now, left=state.left) for name, state in STATES.items()},
    "brief": brief(story.running())["text/html"],
    "dashboard": overview_html(OVERVIEW),
    "stats": usage_html(used()),
    "logs": card(
        log_pre(Log(lines=("web.1 | ERROR no", "web.1 | WARNING well", "web.1 | DEBUG so"), dropped=3), "Logs"), "Logs"
    ),
    "found": card(found_lines([("web", "a line")] * 3, "line", 2), "Lines found"),
    "ps": table_html(status_table(OVERVIEW.stacks[0].projects[0].services, now=OVERVIEW.time)),
    "deployments": table_html(deployments_table(OVERVIEW.stacks[0].history, now=OVERVIEW.time)),
    "config": table_html(config_table(["SET"], {"MISSING": ["web"]})),
}
"""All that is shown: a deployment in each of its states, and every table and chart."""


@pytest.mark.parametrize("width", [240, 600, 1400])
@pytest.mark.parametrize("theme", THEMES)
def test_no_view_keeps_anybody_out(browser: Browser, theme: str, width: int) -> None:
    back, fore = THEMES[theme]
    style = f":root{{--jp-layout-color1:{back};--jp-ui-font-color0:{fore}}} body{{background:{back};color:{fore}}}"
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name, html in VIEWS.items():
        page.set_content(
            f"<html lang=en><head><title>{name}</title><style>{style}</style></head><body><main>{html}</main></body></html>"
        )
        page.screenshot(path=ARTIFACTS / f"view-{name}-{theme}-{width}.png", full_page=True)
        assert width == 240 or serious(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        cut = page.locator(".rows").evaluate_all(
            "all => all.filter(each => each.offsetWidth > each.parentElement.clientWidth).length"
        )
        assert cut == 0, f"{name}: a table is wider than its place"
    page.close()


QUICK = """
%%compose
name: quick
services:
  web:
    build: ./apps/hello
    ports:
      - target: 8000
"""


def test_a_dashboard_shows_and_does_what_is_asked(lab: Lab, page: Page) -> None:
    write_notebook(lab.folder / "board.ipynb", "%load_ext defang_nb", QUICK.strip(), "%defang up", "%defang dashboard")
    open_notebook(page, lab, "board.ipynb")
    menu(page, "Run", "Run All Cells")
    board = cell(page, "%defang dashboard")
    tables = board.locator(".jp-OutputArea")
    expect(tables).to_contain_text("✔ running", timeout=UP_TIMEOUT)
    expect(tables).to_contain_text("MiB")
    expect(board.get_by_label("Project", exact=True)).to_contain_text("quick on local")
    picture(page, board, "dashboard")
    board.get_by_role("button", name="Logs").focus()
    page.keyboard.press("Enter")
    expect(board.get_by_role("log", name="Service logs")).to_be_visible()
    assert [each for each in serious(page, ".jp-OutputArea") if "jp-" not in each.split(":")[1]] == []
    board.get_by_role("button", name="Down", exact=True).click()
    expect(tables).to_contain_text("✔ down")
    expect(tables).to_contain_text(re.compile(r"Projects of which nothing runs.*quick", re.DOTALL))
    save(page)
    close_notebook(page, lab)

    page.goto(lab.address("board.ipynb"))
    expect(tables).to_contain_text("History of local")
    expect(page.locator(".jp-Notebook")).not_to_contain_text(LOST, use_inner_text=True)
    picture(page, board, "dashboard-reopened")


SLOW = """
%%compose
name: slow
services:
  web:
    build: ./slow
    ports:
      - target: 8000
"""
SLOW_DOCKERFILE = """
FROM python:3-slim
WORKDIR /app
COPY . .
RUN python -c "import time; print('this takes its time', flush=True); time.sleep(25)"
CMD ["python", "-m", "http.server", "8000"]
"""


def test_a_reload_and_a_dead_kernel_lose_nothing(lab: Lab, page: Page) -> None:
    (lab.folder / "slow").mkdir()
    (lab.folder / "slow" / "Dockerfile").write_text(SLOW_DOCKERFILE)
    write_notebook(lab.folder / "slow.ipynb", "%load_ext defang_nb", SLOW.strip(), "dep = %defang up")
    write_notebook(lab.folder / "again.ipynb", "%load_ext defang_nb", "dep = %defang attach")
    open_notebook(page, lab, "slow.ipynb")
    menu(page, "Run", "Run All Cells")
    view = cell(page, "dep = %defang up").locator(".jp-OutputArea").first
    expect(view).to_contain_text("this takes its time", timeout=UP_TIMEOUT)
    save(page)
    page.goto(lab.address("slow.ipynb"))
    expect(view).to_contain_text("%defang attach")
    lab.shut_kernels_down()
    page.goto("about:blank")

    open_notebook(page, lab, "again.ipynb")
    menu(page, "Run", "Run All Cells")
    attached = cell(page, "%defang attach").locator(".jp-OutputArea").first
    expect(attached).to_contain_text("this takes its time", timeout=UP_TIMEOUT)
    expect(attached).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    picture(page, attached, "attached-after-a-dead-kernel")

"""What people do with the views in JupyterLab: six services, keys, tabs, a network that fails, a kernel that is restarted."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import nbformat
import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from defang_nb.render.html import render_html
from tests.e2e.axe import serious
from tests.e2e.jupyter import Lab
from tests.e2e.six import six, write_six
from tests.e2e.test_lab import (
    LOST,
    UP_TIMEOUT,
    cell,
    choose_theme,
    close_notebook,
    menu,
    open_notebook,
    picture,
    save,
    write_notebook,
)
from tests.e2e.wire import wire
from tests.render import story

pytestmark = pytest.mark.e2e

PASSWORD = "%defang config set POSTGRES_PASSWORD --random -p {}"
LOAD = "%load_ext defang_nb"
GATE = """%%compose
name: {name}
services:
  web:
    build: ./{name}
    ports:
      - target: 8000
"""
GATE_DOCKERFILE = """
FROM python:3-slim
WORKDIR /app
COPY . .
RUN python wait.py
CMD ["python", "-m", "http.server", "8000"]
"""
GATE_WAIT = """import pathlib, time
number = 0
while not pathlib.Path({gate!r}).exists():
    number += 1
    print("waiting", number, flush=True)
    time.sleep(0.5)
"""


def gated(lab: Lab, name: str) -> str:
    """A project whose build waits until a file called `open-<name>` is there: its Compose cell."""
    folder = lab.folder / name
    folder.mkdir()
    (folder / "Dockerfile").write_text(GATE_DOCKERFILE)
    (folder / "wait.py").write_text(GATE_WAIT.format(gate=str(lab.folder / f"open-{name}")))
    return GATE.format(name=name).strip()


def go_on(lab: Lab, name: str) -> None:
    (lab.folder / f"open-{name}").touch()


def output(page: Page, source: str) -> Locator:
    return cell(page, source).locator(".jp-OutputArea").first


def run_cell(page: Page, source: str) -> None:
    cell(page, source).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Shift+Enter")


def restart_kernel(page: Page) -> None:
    menu(page, "Kernel", "Restart Kernel…")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    status = page.locator("#jp-main-statusbar")
    expect(status).to_contain_text("Restarting")
    expect(status).to_contain_text(re.compile(r"Python 3 \(ipykernel\) \| Idle"))


def focused(page: Page) -> str:
    """The accessible name of what has the focus, and whether one sees that it has."""
    said: str = page.evaluate(
        """() => {
        const it = document.activeElement, style = getComputedStyle(it)
        const seen = style.outlineStyle !== 'none' || style.boxShadow !== 'none'
        const name = it.getAttribute('aria-label') || it.labels?.[0]?.innerText || it.innerText || it.title
        return `${name.trim().split('\\n')[0]}|${seen ? 'seen' : 'unseen'}`
    }"""
    )
    return said


def test_six_services_go_live_and_everything_can_be_reached(shared_lab: Lab, page: Page) -> None:
    lab = shared_lab
    write_six(lab.folder)
    cells = (
        six("six"),
        PASSWORD.format("six"),
        "first = %defang up",
        six("six", "other"),
        "second = %defang up",
        "%defang dashboard",
    )
    write_notebook(lab.folder / "six.ipynb", LOAD, *cells)
    elsewhere: list[str] = []
    page.on(
        "request", lambda it: elsewhere.append(it.url) if urlsplit(it.url).hostname not in ("127.0.0.1", "", None) else None
    )
    open_notebook(page, lab, "six.ipynb")
    cell(page, "%defang dashboard").locator(".jp-InputArea-editor").click()
    menu(page, "Run", "Run All Above Selected Cell")
    view = output(page, "first = %defang up")
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    drawn = view.get_by_role("img", name="web depends on api")
    expect(drawn).to_have_attribute("aria-label", re.compile("worker depends on cache"))
    expect(view.get_by_role("button", name="Redeploy")).to_be_visible(
        timeout=UP_TIMEOUT
    )  # the end's view takes the live one's place
    expect(view.get_by_role("group", name="Services")).to_have_count(1)
    rows = view.get_by_role("group", name="Services").locator("tbody tr")
    states = {"web": "✔ live", "worker": "✔ live", "api": "✔ live", "migrate": "✔ exited 0", "db": "✔ live", "cache": "✔ live"}
    for name, state in states.items():
        expect(rows.filter(has=page.get_by_role("rowheader", name=name, exact=True))).to_contain_text(state)
    expect(view.locator("ol.tl li")).not_to_have_count(0)
    expect(view.locator("ol.tl .crit").first).to_be_visible()
    expect(view).to_contain_text("striped: until ready")
    expect(view.get_by_role("img", name=re.compile("of it until ready")).first).to_be_visible()
    for theme in ("light", "dark"):
        choose_theme(page, theme)
        picture(page, view, f"six-{theme}")
    choose_theme(page, "light")
    with page.context.expect_page() as opened:
        view.get_by_role("link", name="Open web").click()
    expect(opened.value.locator("body")).to_contain_text("from web")
    opened.value.close()

    second = output(page, "second = %defang up")
    expect(second).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    changes = second.get_by_text("environment.WORD:")
    expect(changes.first).to_be_hidden()
    second.locator("summary", has_text="plan").click()
    expect(changes.first).to_be_visible()
    second.locator("summary", has_text="plan").click()
    expect(changes.first).to_be_hidden()

    # With keys alone: from button to button, through links, table and timeline, and a fold.
    second.get_by_role("button", name="Redeploy").focus()
    reached = []
    while not reached or not reached[-1].startswith("plan"):
        reached.append(focused(page))
        page.keyboard.press("Tab")
    names = [each.partition("|")[0] for each in reached]
    assert names[:4] == ["Redeploy", "Rollback", "Open web ↗", "Services"]
    assert "Timeline" in names
    assert [each for each in reached if each.endswith("|unseen")] == []
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(changes.first).to_be_visible()

    first = second.locator(".head .mono").inner_text()
    second.get_by_role("button", name="Rollback").focus()
    page.keyboard.press("Enter")
    expect(second).to_contain_text("deploys what", timeout=UP_TIMEOUT)
    expect(second.locator(".head .mono")).not_to_have_text(first)
    expect(second).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    with page.context.expect_page() as opened:
        second.get_by_role("link", name="Open web").click()
    expect(opened.value.locator("body")).to_have_text("hello from web")
    opened.value.close()

    # The dashboard's buttons do what they say.
    run_cell(page, "%defang dashboard")
    board = cell(page, "%defang dashboard")
    tables = board.locator(".jp-OutputArea")
    stacks = tables.get_by_role("region", name="Dashboard of all stacks")
    worker = stacks.locator("tr", has=page.get_by_role("rowheader", name="worker"))
    expect(worker).to_contain_text("1/1")
    board.get_by_label("Service", exact=True).select_option("worker")
    board.get_by_label("Replicas").fill("2")
    board.get_by_label("Replicas").press("Enter")
    board.get_by_role("button", name="Scale").click()
    expect(worker).to_contain_text("2/2")
    board.get_by_role("button", name="Restart").click()
    expect(board).to_contain_text("✔ restarted worker")
    board.get_by_role("button", name="Logs").click()
    expect(board.get_by_role("log", name="Service logs")).to_contain_text("worker.2 | at work")
    picture(page, board, "dashboard-six")

    # A kernel that is restarted takes its buttons with it, and says so; the deployment can be shown again.
    restart_kernel(page)
    for area in (second, board):
        expect(area.get_by_role("button", name="Redeploy").or_(area.get_by_role("button", name="Restart"))).to_have_count(0)
        told = area.locator(".defang-nb-controls.jupyter-widgets-disconnected")
        assert "was restarted" in told.first.evaluate("each => getComputedStyle(each, '::after').content")
    expect(second).to_contain_text("✔ live")
    close_notebook(page, lab)
    assert elsewhere == [], "nothing that is shown comes from elsewhere"


def test_a_lost_network_and_a_second_tab_show_what_is(shared_lab: Lab, page: Page) -> None:
    lab = shared_lab
    write_notebook(lab.folder / "lost.ipynb", LOAD, gated(lab, "lost"), "dep = %defang up --detach")
    port = urlsplit(lab.url).port
    assert port is not None
    with wire(port) as line:
        page.add_init_script("Math.random = () => 0")  # JupyterLab tries again after 10 s to 30 s, by chance
        far = replace(lab, url=f"http://127.0.0.1:{line.port}")
        open_notebook(page, far, "lost.ipynb")
        menu(page, "Run", "Run All Cells")
        view = output(page, "dep = %defang up")
        expect(view).to_contain_text("waiting 2", timeout=UP_TIMEOUT)
        save(page)
        line.cut()
        expect(page.locator("#jp-main-statusbar")).to_contain_text("Connecting")
        page.wait_for_timeout(3000)
        line.mend()
        expect(view).to_contain_text(re.compile(r"waiting \d\d"), timeout=UP_TIMEOUT)

        tab = page.context.new_page()
        tab.set_default_timeout(30_000)
        open_notebook(tab, far, "lost.ipynb")
        there = output(tab, "dep = %defang up")
        expect(there).to_contain_text(re.compile(r"waiting \d\d"))
        picture(tab, there, "second-tab")
        there.get_by_role("button", name="Cancel").click()
        expect(view).to_contain_text("cancelled", timeout=UP_TIMEOUT)
        expect(view.get_by_role("button", name="Redeploy")).to_be_visible()
        expect(view).not_to_contain_text(LOST, use_inner_text=True)
        expect(there).not_to_contain_text(LOST, use_inner_text=True)
        expect(there).to_contain_text("%defang attach")
        picture(page, view, "after-a-lost-network")
        tab.close()
        close_notebook(page, lab)


def test_a_kernel_that_is_restarted_meanwhile_is_told_and_attached_to_again(shared_lab: Lab, page: Page) -> None:
    lab = shared_lab
    write_notebook(lab.folder / "again.ipynb", LOAD, gated(lab, "again"), "dep = %defang up", "now = %defang attach")
    open_notebook(page, lab, "again.ipynb")
    for source in (LOAD, "%%compose", "dep = %defang up"):
        run_cell(page, source)
    view = output(page, "dep = %defang up")
    expect(view).to_contain_text("waiting 2", timeout=UP_TIMEOUT)
    menu(page, "Kernel", "Interrupt Kernel")
    expect(cell(page, "dep = %defang up")).to_contain_text(re.compile("goes on.*%defang attach.*%defang cancel"))
    expect(cell(page, "dep = %defang up")).not_to_contain_text("Traceback")
    restart_kernel(page)
    expect(view.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(view).to_contain_text("%defang attach")
    picture(page, view, "restarted-meanwhile")
    run_cell(page, LOAD)
    run_cell(page, "now = %defang attach")
    attached = output(page, "now = %defang attach")
    expect(attached).to_contain_text("waiting 3", timeout=UP_TIMEOUT)
    go_on(lab, "again")
    expect(attached).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    save(page)
    close_notebook(page, lab)


def test_a_live_view_is_reached_by_keys_and_keeps_nobody_out(shared_lab: Lab, page: Page) -> None:
    lab = shared_lab
    write_notebook(lab.folder / "keys.ipynb", LOAD, gated(lab, "keys"), "dep = %defang up")
    open_notebook(page, lab, "keys.ipynb")
    choose_theme(page, "dark")
    menu(page, "Run", "Run All Cells")
    view = output(page, "dep = %defang up")
    expect(view).to_contain_text("waiting 2", timeout=UP_TIMEOUT)
    assert ours(serious(page, ".jp-OutputArea .defang-nb-controls")) == []
    picture(page, view, "live-dark")
    view.get_by_role("button", name="Cancel").focus()
    reached = []
    while not reached or not reached[-1].startswith("web build"):
        reached.append(focused(page))
        page.keyboard.press("Tab")
    names = [each.partition("|")[0] for each in reached]
    assert names[:3] == ["Cancel", "Detach", "Search logs"]
    assert names[-2].startswith("plan")
    assert [each for each in reached if each.endswith("|unseen")] == []
    view.get_by_role("button", name=re.compile("^plan")).focus()
    page.keyboard.press("Enter")
    expect(view).to_contain_text("new in the project")
    page.wait_for_timeout(1500)  # the view is drawn anew each second; what was opened stays so
    expect(view).to_contain_text("new in the project")
    expect(view).not_to_contain_text("waiting 2")
    page.keyboard.press("Enter")
    expect(view).not_to_contain_text("new in the project")
    view.get_by_label("Search logs").fill("waiting 4")
    view.get_by_label("Search logs").press("Enter")
    expect(view.get_by_role("log", name="Lines found")).to_contain_text("waiting 4")  # while the cell runs
    view.get_by_role("button", name="Detach").press("Enter")
    expect(cell(page, "dep = %defang up")).to_contain_text(re.compile("goes on.*%defang attach.*%defang cancel"))
    expect(view.get_by_role("button", name="Detach")).to_be_hidden()
    go_on(lab, "keys")
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    choose_theme(page, "light")
    close_notebook(page, lab)


def ours(found: list[str]) -> list[str]:
    """Without what is JupyterLab's own."""
    return [each for each in found if "jp-" not in each.split(":")[1]]


def test_what_a_dead_kernel_left_is_found_shown_and_cancelled_from_the_dashboard(shared_lab: Lab, page: Page) -> None:
    lab = shared_lab
    write_notebook(lab.folder / "left.ipynb", LOAD, gated(lab, "left"), "dep = %defang up")
    write_notebook(lab.folder / "find.ipynb", LOAD, "%defang dashboard")
    open_notebook(page, lab, "left.ipynb")
    menu(page, "Run", "Run All Cells")
    expect(output(page, "dep = %defang up")).to_contain_text("waiting 2", timeout=UP_TIMEOUT)
    close_notebook(page, lab)

    open_notebook(page, lab, "find.ipynb")
    choose_theme(page, "dark")
    menu(page, "Run", "Run All Cells")
    board = cell(page, "%defang dashboard")
    tables = board.locator(".jp-OutputArea")
    expect(tables).to_contain_text("◐ goes on", timeout=UP_TIMEOUT)
    expect(board.get_by_label("Deployment", exact=True)).to_contain_text("up left")
    assert ours(serious(page, ".jp-OutputArea")) == []
    deployments = board.get_by_label("Deployment", exact=True)
    deployments.select_option(value=deployments.locator("option", has_text="up left").get_attribute("value"))
    board.get_by_role("button", name="Attach").click()
    expect(tables).to_contain_text(re.compile(r"waiting \d\d"), timeout=UP_TIMEOUT)
    picture(page, board, "dashboard-attached-dark")
    board.get_by_role("button", name="Cancel").click()
    expect(tables).to_contain_text("cancelled", timeout=UP_TIMEOUT)
    expect(deployments).not_to_contain_text("up left", timeout=UP_TIMEOUT)
    choose_theme(page, "light")
    close_notebook(page, lab)


def test_after_a_laptops_sleep_the_view_is_right_again(shared_lab: Lab, page: Page) -> None:
    lab = shared_lab
    write_notebook(lab.folder / "sleep.ipynb", LOAD, gated(lab, "sleep"), "dep = %defang up")
    open_notebook(page, lab, "sleep.ipynb")
    menu(page, "Run", "Run All Cells")
    view = output(page, "dep = %defang up")
    expect(view).to_contain_text("waiting 2", timeout=UP_TIMEOUT)
    asleep = everything_of(lab)
    assert len(asleep) >= 3, "server, kernel and cd; what the build runs may be between two commands"
    for process in asleep:
        process.suspend()
    page.wait_for_timeout(8000)
    for process in asleep:
        process.resume()
    expect(view).to_contain_text(re.compile(r"waiting \d\d"), timeout=UP_TIMEOUT)
    go_on(lab, "sleep")
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    expect(view.get_by_role("button", name="Redeploy")).to_be_visible()
    expect(view).not_to_contain_text(LOST, use_inner_text=True)
    close_notebook(page, lab)


def everything_of(lab: Lab) -> list[psutil.Process]:
    """All processes that run for it: its server, kernels, cd, builds, services."""
    homes = {each.environ().get("DEFANG_NB_HOME") for each in _readable() if each.environ().get("JUPYTER_TOKEN") == lab.token}
    assert len(homes) == 1
    return [each for each in _readable() if each.environ().get("DEFANG_NB_HOME") in homes]


def _readable() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ():
                yield process


def test_a_notebook_that_nobody_trusts_shows_its_views_and_no_lost_widget(shared_lab: Lab, page: Page) -> None:
    html = render_html(story.finished(), now=0)
    view = {"model_id": "0" * 32, "version_major": 2, "version_minor": 0}
    shown = [
        nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}),
        nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": "the plain form"}),
    ]
    cells = [nbformat.v4.new_code_cell("dep = %defang up", outputs=shown, execution_count=1)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), shared_lab.folder / "untrusted.ipynb")
    page.goto(shared_lab.address("untrusted.ipynb"))
    there = output(page, "dep = %defang up")
    for words in ("shop → local ✔ live 7f3k2", "✔ cache 8.3 s", "✔ web ✔ api"):  # apart without any style, too
        expect(there).to_contain_text(words)
    expect(there.get_by_role("link", name="Open web")).to_be_visible()
    expect(there.get_by_text("Downloading package_229").first).to_be_hidden()
    expect(page.locator(".jp-Notebook")).not_to_contain_text(LOST, use_inner_text=True)
    picture(page, there, "untrusted")

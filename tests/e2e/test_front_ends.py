"""Front ends other than a JupyterLab that has everything: Notebook 7, one without widgets, nbconvert's pages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.axe import serious
from tests.e2e.jupyter import Lab, running_lab
from tests.e2e.test_lab import (
    ARTIFACTS,
    LOST,
    UP_TIMEOUT,
    cell,
    close_notebook,
    go_to,
    menu,
    open_notebook,
    save,
    write_notebook,
)
from tests.e2e.test_session import LOAD, gated, go_on, output

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture
def notebook7(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    with running_lab(stack.environment, tmp_path, application="notebook") as it:
        yield it


def test_notebook_7_shows_what_jupyterlab_does(notebook7: Lab, page: Page) -> None:
    lab = notebook7
    write_notebook(lab.folder / "seven.ipynb", LOAD, gated(lab, "seven"), "dep = %defang up")
    go_to(page, lab.address("seven.ipynb"), page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]"))
    compose = cell(page, "%%compose")
    expect(compose.locator(".cm-line span", has_text=re.compile("^services$"))).to_be_visible()
    run_all(page)
    view = output(page, "dep = %defang up")
    expect(view).to_contain_text("waiting 2", timeout=UP_TIMEOUT)
    view.get_by_role("button", name=re.compile("^plan")).click()
    expect(view).to_contain_text("new in the project")
    page.screenshot(path=ARTIFACTS / "notebook-7.png")
    go_on(lab, "seven")
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    expect(view.get_by_role("button", name="Redeploy")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-NotebookCheckpoint")).to_contain_text(re.compile("now|seconds ago"))
    close_notebook(page, lab)
    page.goto(lab.address("seven.ipynb"))
    expect(view).to_contain_text("✔ live")
    expect(page.locator(".jp-Notebook")).not_to_contain_text(LOST, use_inner_text=True)


def run_all(page: Page) -> None:
    """Until the notebook takes it: its menu is there, and says that the kernel is idle, before it has one."""
    first = page.locator(".jp-CodeCell .jp-InputPrompt").first
    for left in reversed(range(10)):
        menu(page, "Run", "Run All Cells")
        try:
            expect(first).not_to_have_text("[ ]:", timeout=6_000)
            return
        except AssertionError:
            if not left:
                raise


@pytest.fixture
def without_widgets(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab whose widget manager is switched off, which no kernel can know."""
    settings = tmp_path / "config" / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"disabledExtensions": {"@jupyter-widgets/jupyterlab-manager": True}}))
    with running_lab(stack.environment, tmp_path) as it:
        yield it


def test_without_a_widget_manager_the_cell_says_what_goes_on_and_shows_the_end(without_widgets: Lab, page: Page) -> None:
    lab = without_widgets
    write_notebook(lab.folder / "bare.ipynb", LOAD, gated(lab, "bare"), "dep = %defang up", "%defang dashboard")
    open_notebook(page, lab, "bare.ipynb")
    menu(page, "Run", "Run All Cells")
    view = output(page, "dep = %defang up")
    expect(view).to_contain_text(re.compile("provisioning.*%defang attach"), timeout=UP_TIMEOUT, use_inner_text=True)
    assert nothing_lost(view)
    go_on(lab, "bare")
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    expect(view.get_by_role("group", name="Services")).to_be_visible()
    board = output(page, "%defang dashboard")
    expect(board).to_contain_text("✔ running", timeout=UP_TIMEOUT)
    assert nothing_lost(board)
    save(page)
    close_notebook(page, lab)


def nothing_lost(shown: Locator) -> bool:
    text = shown.inner_text()
    return not LOST.search(text) and "VBox(" not in text and "Button(" not in text


def test_nbconverts_page_shows_the_end(stack: Stack, tmp_path: Path, page: Page) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "Dockerfile").write_text('FROM python:3-slim\nCMD ["python", "-m", "http.server", "8000"]\n')
    compose = "%%compose\nname: made\nservices:\n  web:\n    build: ./app\n    ports: [{target: 8000, mode: ingress}]\n"
    write_notebook(tmp_path / "made.ipynb", LOAD, compose, "dep = %defang up", "%defang logs", "%defang ps")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "made.ipynb"]
    subprocess.run(command, cwd=tmp_path, env=stack.environment, check=True, capture_output=True, timeout=300)
    page.goto((tmp_path / "made.html").as_uri())
    shown = page.get_by_role("region", name=re.compile("^Deployment .* of made to local"))
    expect(shown).to_contain_text("✔ live · healthy")
    shown.locator("summary", has_text="plan").click()
    expect(shown).to_contain_text("new in the project", use_inner_text=True)
    assert serious(page, "[role=region]") == []
    page.screenshot(path=ARTIFACTS / "nbconvert.png", full_page=True)

"""marimo, which has cells, but no magics and no widgets of Jupyter: the Python API in a real one, in a real browser."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from playwright.sync_api import Error, Locator, Page, Request, expect

from tests.e2e.axe import serious
from tests.e2e.conftest import ARTIFACTS
from tests.e2e.jupyter import end
from tests.e2e.test_lab import UP_TIMEOUT

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

COMPOSE = "name: marimo\nservices:\n  web:\n    build: ./app\n    ports: [{target: 8000, mode: ingress}]\n"
DOCKERFILE = """FROM python:3-slim
WORKDIR /app
COPY . .
RUN python wait.py
CMD ["python", "-m", "http.server", "8000"]
"""
WAIT = """import pathlib, time
print("the build waits", flush=True)
while not pathlib.Path({gate!r}).exists():
    time.sleep(0.1)
"""
NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    import sys

    import defang_nb
    import marimo as mo
    return defang_nb, mo, sys


@app.cell
def _(defang_nb):
    dep = defang_nb.up("compose.yaml", engine="process", lease_wait=60)
    return (dep,)


@app.cell
def _(dep, sys):
    print(dep.status, [each for each in ("IPython", "ipywidgets") if each in sys.modules])
    return


@app.cell
def _(defang_nb, dep):
    dep
    defang_nb.Dashboard()
    return


@app.cell
def _(defang_nb):
    defang_nb.up(text="services: {web: {imagee: redis}}", engine="process")
    return


@app.cell
def _(mo):
    button = mo.ui.run_button(label="Take it down")
    button
    return (button,)


@app.cell
def _(button, defang_nb, mo):
    mo.stop(not button.value)
    defang_nb.down("marimo")
    return
"""


@dataclass(frozen=True)
class Marimo:
    """Its editor with `NOTEBOOK`, whose project's build waits for the file `gate`."""

    address: str
    gate: Path


def write(folder: Path, gate: Path) -> None:
    (folder / "app").mkdir()
    for name, text in {
        "compose.yaml": COMPOSE,
        "app/Dockerfile": DOCKERFILE,
        "app/wait.py": WAIT.format(gate=str(gate)),
        "app/index.html": "Hello, marimo!",
        "notebook.py": NOTEBOOK,
    }.items():
        (folder / name).write_text(text)


@pytest.fixture
def marimo(stack: Stack, tmp_path: Path) -> Iterator[Marimo]:
    folder, log = tmp_path / "notebook", tmp_path / "marimo.log"
    folder.mkdir()
    write(folder, tmp_path / "gate")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    (tmp_path / "token").write_text(token)
    command = [sys.executable, "-m", "marimo", "-y", "edit", "notebook.py", "--headless", "--skip-update-check"]
    command += ["--port", str(port), "--token-password-file", str(tmp_path / "token")]
    (tmp_path / "config/marimo").mkdir(parents=True)
    (tmp_path / "config/marimo/marimo.toml").write_text('[display]\ntheme = "dark"\n')
    settings = {f"XDG_{each}_HOME": str(tmp_path / each.lower()) for each in ("CONFIG", "STATE", "CACHE", "DATA")}
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=folder, env=stack.environment | settings, stdout=out, stderr=out)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/health", server, log)
            yield Marimo(f"{url}?access_token={token}", tmp_path / "gate")
        finally:
            (tmp_path / "gate").touch()
            end(server)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urlopen(url, timeout=20):
            return
        time.sleep(0.2)
    pytest.fail(f"marimo did not start:\n{log.read_text()}")


def open_notebook(page: Page, address: str) -> None:
    """Chromium drops what it is loading when a network of the machine comes or goes: then the page is loaded again."""
    lost: list[Request] = []
    page.on("requestfailed", lambda request: lost.append(request))
    ready = cell(page, "Take it down").first
    deadline = time.monotonic() + 60
    while not ready.is_visible():
        assert time.monotonic() < deadline, "the notebook was not loaded"
        if lost or page.url == "about:blank":
            lost.clear()
            with contextlib.suppress(Error):
                page.goto(address)
        page.wait_for_timeout(100)


def cell(page: Page, source: str) -> Locator:
    """The cell whose code holds `source`, with all that it shows."""
    return page.locator("[data-cell-id]").filter(has=page.locator(".cm-content", has_text=source))


def output(page: Page, source: str) -> Locator:
    return cell(page, source).locator(".output-area")


def run_all(page: Page) -> None:
    """By the button beside the page; each cell has one of its own before it."""
    page.get_by_test_id("run-button").last.click()


def test_a_deployment_goes_on_is_left_goes_live_is_clicked_and_taken_down(marimo: Marimo, page: Page) -> None:
    open_notebook(page, marimo.address)
    run_all(page)
    view, up = output(page, "dep = defang_nb.up"), cell(page, "dep = defang_nb.up")
    expect(view).to_contain_text("the build waits", timeout=UP_TIMEOUT)
    expect(view.get_by_role("group", name="Services")).to_contain_text("building")
    page.screenshot(path=ARTIFACTS / "marimo-provisioning.png")
    page.get_by_test_id("interrupt-button").last.click()
    expect(view).to_contain_text("interrupted")
    expect(up).to_contain_text("goes on")
    marimo.gate.touch()
    run_all(page)
    expect(view).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    expect(view.get_by_role("region", name="of marimo to local")).to_have_css("background-color", "rgb(17, 20, 24)")
    with page.context.expect_page() as opened:
        view.get_by_role("link", name="Open web").click()
    expect(opened.value.locator("body")).to_contain_text("Hello, marimo!")
    opened.value.close()
    expect(cell(page, "dep.status")).to_contain_text("succeeded []")
    expect(output(page, "Dashboard()")).to_contain_text("1 of 1 service running")
    error = output(page, "imagee")
    expect(error).to_contain_text('unknown key "imagee" in services.web hint: did you mean "image"?')
    assert serious(page, "[role=region]") == []
    page.screenshot(path=ARTIFACTS / "marimo.png")
    page.get_by_role("button", name="Take it down").click()
    expect(output(page, "defang_nb.down")).to_contain_text("✔ down", timeout=UP_TIMEOUT)


def test_an_export_holds_what_a_deployment_and_a_dashboard_show(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    write(tmp_path, tmp_path / "gate")
    command = [sys.executable, "-m", "marimo", "export", "html", "notebook.py", "-o", "page.html"]
    done = subprocess.run(command, cwd=tmp_path, env=stack.environment, capture_output=True, text=True, timeout=300)
    exported = (tmp_path / "page.html").read_text()
    for said in ("of marimo to local", "healthy", "Dashboard of all stacks", "1 of 1 service running"):
        assert said in exported, done.stderr

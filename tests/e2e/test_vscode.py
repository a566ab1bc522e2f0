"""VS Code in a real browser, with its own renderer of widgets. `make vscode` installs it; without it nothing is tried."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from scripts import vscode
from tests.e2e.jupyter import end
from tests.e2e.test_lab import ARTIFACTS, UP_TIMEOUT, write_notebook
from tests.e2e.test_session import LOAD, gated, go_on

if TYPE_CHECKING:
    from tests.e2e.jupyter import Lab

HOME = Path(sys.prefix) / "vscode"
pytestmark = [
    pytest.mark.vscode,
    pytest.mark.skipif(not (HOME / "installed").is_file(), reason="VS Code is not here: make vscode installs it"),
]


SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.editorAssociations": {"*.ipynb": "jupyter-notebook"},  # else as JSON, where its extensions are not loaded yet
    "chat.disableAIFeatures": True,
}


@dataclass(frozen=True)
class Code:
    url: str
    lab: Lab
    page: Page

    def open(self, notebook: str) -> FrameLocator:
        """Open it with a kernel of the Jupyter server's; the frame in which it shows outputs."""
        page = self.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])  # it looks there for a server's address
        page.goto(f"{self.url}/?folder={self.lab.folder}")
        page.get_by_role("treeitem", name=notebook).dblclick()
        self.ask_for_a_server()
        self.enter("Enter the URL", f"{self.lab.url}/?token={self.lab.token}")
        self.enter("Change Server Display Name", "it")
        self.choose("Python 3 (ipykernel)")
        expect(page.locator(".kernel-label")).to_contain_text("Python 3 (ipykernel)")
        return page.frame_locator("iframe.webview.ready").last.frame_locator("#active-frame")

    def ask_for_a_server(self) -> None:
        """Until it does: its list of kernels closes, or comes anew, while it looks for some."""
        listed = self.page.locator(".quick-input-list").get_by_text("Existing Jupyter Server...", exact=True)
        for left in reversed(range(10)):
            if not listed.is_visible():
                self.page.get_by_role("button", name=re.compile("Select Kernel|Detecting Kernels")).click()
            listed.click()
            try:
                expect(self.page.locator(".quick-input-title", has_text="Enter the URL")).to_be_visible(timeout=6_000)
                return
            except AssertionError:
                if not left:
                    raise

    def choose(self, label: str) -> None:
        self.page.locator(".quick-input-list").get_by_text(label, exact=True).click()

    def enter(self, title: str, text: str) -> None:
        asked = self.page.locator(".quick-input-widget", has=self.page.locator(".quick-input-title", has_text=title))
        asked.locator("input:visible").fill(text)
        self.page.keyboard.press("Enter")

    def run_all(self) -> None:
        self.page.get_by_role("button", name="Run All", exact=True).click()

    def command(self, name: str) -> None:
        self.page.keyboard.press("F1")
        self.page.locator(".quick-input-widget input:visible").fill(f">{name}")
        self.page.locator(".quick-input-list").get_by_text(name).first.click()

    def picture(self, name: str) -> None:
        self.page.screenshot(path=ARTIFACTS / f"vscode-{name}.png")


@pytest.fixture
def code(lab: Lab, page: Page, tmp_path: Path) -> Iterator[Code]:
    """code-server over the notebooks, beside the Jupyter server whose kernels it uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = ["--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
    own = [
        "--user-data-dir",
        str(tmp_path / "code"),
        "--config",
        str(tmp_path / "code.yaml"),
        "--bind-addr",
        f"127.0.0.1:{port}",
    ]
    proposed = [part for each in vscode.EXTENSIONS for part in ("--enable-proposed-api", each)]
    settings = tmp_path / "code/User/settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(SETTINGS))
    with (tmp_path / "code.log").open("w") as log:
        server = subprocess.Popen([*vscode.command(HOME), *quiet, *own, *proposed], stdout=log, stderr=subprocess.STDOUT)
        try:
            wait(f"http://127.0.0.1:{port}/healthz", server, tmp_path / "code.log")
            yield Code(f"http://127.0.0.1:{port}", lab, page)
        finally:
            end(server)


def wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"code-server did not start:\n{log.read_text()}")


COLOURS = """each => [getComputedStyle(each).backgroundColor, getComputedStyle(document.body).backgroundColor,
  getComputedStyle(document.documentElement).getPropertyValue("--vscode-editor-background")]"""


def test_a_deployment_is_shown_clicked_while_its_cell_runs_and_shown_again(code: Code) -> None:
    write_notebook(code.lab.folder / "code.ipynb", LOAD, gated(code.lab, "code"), "dep = %defang up")
    shown = code.open("code.ipynb")
    code.run_all()
    expect(shown.get_by_role("button", name="Cancel")).to_be_visible(timeout=UP_TIMEOUT)
    shown.get_by_role("button", name=re.compile("^plan")).click()
    expect(shown.locator("body")).to_contain_text("new in the project")
    code.picture("live")
    go_on(code.lab, "code")
    card = shown.get_by_role("region", name=re.compile("^Deployment .* of code to local"))
    expect(card).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    first = card.locator(".head .mono").inner_text()
    for theme in ("light", "dark"):
        expect(shown.locator("body")).to_have_attribute("data-vscode-theme-kind", f"vscode-{theme}")
        wanted = card.evaluate(COLOURS)[2]
        expect(card).to_have_css("background-color", f"rgb{tuple(bytes.fromhex(wanted.strip().lstrip('#')))}")
        code.picture(f"end-{theme}")
        code.command("Preferences: Toggle between Light/Dark Themes")

    code.run_all()
    expect(card.locator(".head .mono")).not_to_have_text(first)
    expect(card).to_contain_text("✔ live", timeout=UP_TIMEOUT)
    shown.get_by_role("button", name="Redeploy").click()
    second = card.locator(".head .mono").inner_text()
    expect(card.locator(".head .mono")).not_to_have_text(second)
    expect(card).to_contain_text("✔ live", timeout=UP_TIMEOUT)


def test_cancel_ends_a_deployment_while_its_cell_runs(code: Code) -> None:
    write_notebook(code.lab.folder / "code.ipynb", LOAD, gated(code.lab, "code"), "dep = %defang up")
    shown = code.open("code.ipynb")
    code.run_all()
    shown.get_by_role("button", name="Cancel").click(timeout=UP_TIMEOUT)
    expect(shown.locator("body")).to_contain_text("DeploymentCancelledError")
    expect(shown.get_by_role("region", name=re.compile("^Deployment"))).to_contain_text("cancelled")
    code.picture("cancelled")

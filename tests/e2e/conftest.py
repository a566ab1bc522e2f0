"""Real stacks in folders of their own, and a real JupyterLab in a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.dockerd import dockerd  # noqa: F401 - a fixture for all
from tests.e2e.jupyter import Lab, running_lab
from tests.e2e.registry import kaniko, registry  # noqa: F401 - fixtures for all

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from leftovers import wait_until_gone  # noqa: E402 - it lives with the scripts that need it too

ARTIFACTS = ROOT / "artifacts"
PATIENCE = 60_000
"""Milliseconds that a page may take over one thing; generous, since a loaded machine is slow and not wrong."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Stack:
    """A local stack in a folder of its own, used through the command line."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"DEFANG_NB_HOME": str(self.home), "DEFANG_CD_IDLE": "2", "JUPYTER_PREFER_ENV_PATH": "1"}

    def run(self, *arguments: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "defang_nb", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode:
            pytest.fail(f"defang-nb {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def records(self, *arguments: str) -> list[Any]:
        """What `--json` writes, one value a line."""
        return [json.loads(line) for line in self.run(*arguments, "--json").stdout.splitlines()]

    def endpoints(self, project: str) -> dict[str, str]:
        """service → its first address, as `ps` tells."""
        found = self.records("ps", "-p", project)
        return {each["service"]: each["endpoints"][0]["url"] for each in found if each.get("endpoints")}


@contextlib.contextmanager
def running_stack() -> Iterator[Stack]:
    """A fresh stack; at the end everything is taken down, and nothing may be left running."""
    with tempfile.TemporaryDirectory(prefix="defang-nb-e2e-", ignore_cleanup_errors=True) as folder:
        it = Stack(Path(folder))
        yield it
        for project in {each["project"] for each in it.records("ps")}:
            it.run("down", "-p", project, "--yes", check=False)
        assert wait_until_gone(it.home) == []


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack() as it:
        yield it


def fetch(url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> str:
    with urlopen(Request(url, data=data, headers=dict(headers or {})), timeout=20) as answer:
        body: bytes = answer.read()
    return body.decode()


@pytest.fixture
def get() -> Callable[..., str]:
    """GET (or with `data`, POST) an address; the body of the answer. Raises unless the status is one of success."""
    return fetch


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab over a copy of the notebooks, with settings of its own and nothing fetched from the net."""
    with running_lab(stack.environment, tmp_path) as it:
        yield it


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One for all tests of a module, with a stack of its own."""
    with running_stack() as stack, running_lab(stack.environment, tmp_path_factory.mktemp("lab")) as it:
        yield it


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: while Playwright's own event loop runs, no other test may have one."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("the browser tests need Chromium on PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(BROWSER_FLAGS))
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a fresh browser profile; what it shows at the end of a test is kept in `artifacts/`."""
    ARTIFACTS.mkdir(exist_ok=True)
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield page
    page.screenshot(path=ARTIFACTS / f"{request.node.name}-end.png")
    context.close()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait until something is so; it fails after half a minute."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it never came to be so"
            time.sleep(0.2)

    return wait

"""Under a hub: the links that a notebook shows go through jupyter-server-proxy, and answer."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from conftest import Stack

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-this-test"
PREFIX = "/user/somebody/"


@pytest.fixture
def server(tmp_path: Path, stack: Stack) -> Iterator[str]:
    """The address of a Jupyter server below a hub's prefix, as its hub starts it."""
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root", "--port=0"]
    command += [f"--ServerApp.base_url={PREFIX}", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}"]
    with subprocess.Popen(command, env=stack.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            told = (re.search(r"http://127\.0\.0\.1:\d+(?=/)", line) for line in process.stderr)
            yield next(found.group() for found in told if found)
        finally:
            process.kill()


def test_links_go_through_the_proxy_and_answer(server: str, stack: Stack, get: Callable[..., str], monkeypatch) -> None:
    for name, value in (stack.environment | {"JUPYTERHUB_SERVICE_PREFIX": PREFIX}).items():
        monkeypatch.setenv(name, value)
    up = "dep = %defang up -f apps/hello/compose.yaml"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in ("%load_ext defang_nb", up)])
    where = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, timeout=180, kernel_name="python3", resources=where).execute()
    shown = "".join(output.get("data", {}).get("text/html", "") for output in notebook.cells[1].outputs)
    links = set(re.findall(rf'href="({PREFIX}proxy/\d+/)', shown))
    assert len(links) == 1
    assert "Hello, notebook!" in get(f"{server}{links.pop()}", headers={"Authorization": f"token {TOKEN}"})

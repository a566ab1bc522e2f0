"""The kernel that Colab has: IPython 7, and packages of that time. Its page is not to be had, so nbclient takes the outputs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
import uv
from nbclient import NotebookClient

if TYPE_CHECKING:
    from conftest import Stack

ROOT = Path(__file__).parents[2]
PINS = ("ipykernel==6.17.1", "ipython==7.34.0", "ipywidgets==7.7.1", "tornado==6.5.1")
"""Source: setup.py of Colab's own package, googlecolab/colabtools; of ipywidgets, what its machines have."""
PAGE = "def eval_js(script, timeout_sec=None):\n    return 'https://proxied.example/' if 'proxyPort' in script else None\n"
COMPOSE = "%%compose\nname: old\nservices:\n  web:\n    build: ./hello\n    ports: [{target: 8000, mode: ingress}]\n"


def tab(line: str) -> str:
    """A cell that tells what is offered at the end of `line`."""
    return f"get_ipython().kernel.do_complete({line!r}, {len(line)})['matches']"


CELLS = {
    "import google.colab\n%load_ext defang_nb": "",
    tab("%defang prev"): "'preview'",
    tab("dep = %defang up --engi"): "'--engine'",
    tab("%defang up --engine=pro"): "'process'",
    tab("import js"): "'json'",
    COMPOSE: "build hello",
    "dep = %defang up --engine process": "✔ old → local · live",
    "dep": "https://proxied.example/",
    "%defang ps": "https://proxied.example/",
    "%defang logs --tail 3": "web.1 |",
    "%defang dashboard": "1 of 1 service running",
    "%defang up --nonsense": "UsageError: %defang up has no option --nonsense",
    "%defang up?": "Bring the application up",
    "%%app demo --framework flask\nfrom flask import Flask\napp = Flask(__name__)": "serves flask",
    "%defang down --yes": "down",
    "%unload_ext defang_nb": "",
}

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")]


@pytest.fixture
def colab(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NotebookClient:
    """A notebook that is still empty, with such a kernel."""
    program = tmp_path / "old/bin/python"
    for command in (
        ["venv", "--python", sys.executable, tmp_path / "old"],
        ["pip", "install", "--python", program, "-e", ROOT, *PINS],
    ):
        subprocess.run([uv.find_uv_bin(), *command, "--quiet"], check=True)
    page = tmp_path / "page/google/colab"
    page.mkdir(parents=True)
    (page / "__init__.py").write_text("from google.colab import output\n")
    (page / "output.py").write_text(PAGE)
    spec = tmp_path / "jupyter/kernels/colab/kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(program), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}))
    (tmp_path / "hello").symlink_to(ROOT / "notebooks/apps/hello")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for key, value in (stack.environment | {"PYTHONPATH": str(page.parents[1])}).items():
        monkeypatch.setenv(key, value)
    resources = {"metadata": {"path": str(tmp_path)}}
    return NotebookClient(nbformat.v4.new_notebook(), kernel_name="colab", resources=resources, timeout=300, allow_errors=True)


def test_what_a_notebook_does(colab: NotebookClient) -> None:
    colab.nb.cells = [nbformat.v4.new_code_cell(each) for each in CELLS]
    colab.execute()
    for cell, (source, expected) in zip(colab.nb.cells, CELLS.items(), strict=True):
        assert expected in "\n".join(map(_text, cell.outputs)), source
        assert "ipywidgets" not in "\n".join(map(_text, cell.outputs)), "it would not help there"
        assert "UsageError" in expected or all(each.output_type != "error" for each in cell.outputs), cell.outputs


def _text(output: Any) -> str:
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.get("text") or output.data.get("text/plain", ""))

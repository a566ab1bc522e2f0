"""`%%app` with every framework, a notebook, and `serve`: what a cell's code becomes goes live and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient

from defang_nb.scaffold.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from conftest import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")]


class Case(NamedTuple):
    """`said` stands in what `path` answers."""

    code: str
    said: str
    path: str = "/"


CASES = {
    "streamlit": Case("import streamlit as st\nst.title('hello')\n", "ok", "/_stcore/health"),
    "gradio": Case(
        "import gradio as gr\nwith gr.Blocks() as page:\n    gr.Markdown('hello from gradio')\n", "hello from gradio"
    ),
    "fastapi": Case(
        "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/')\ndef root():\n    return 'hello from fastapi'\n",
        "hello from fastapi",
    ),
    "flask": Case(
        "import flask\nsite = flask.Flask(__name__)\n@site.get('/')\ndef root():\n    return 'hello from flask'\n",
        "hello from flask",
    ),
    "panel": Case("import panel as pn\npn.Column('hello from panel').servable(title='a panel')\n", "a panel"),
    "voila": Case("print('hello from', 'voila')\n", "hello from voila"),
    "dash": Case(
        "from dash import Dash, html\nboard = Dash()\nboard.layout = html.Div('hello from dash')\n",
        "hello from dash",
        "/_dash-layout",
    ),
}
LIVE = "assert dep.outcome.value == 'succeeded'\nprint(dep.endpoints[{name!r}], end='')"


def test_every_framework_has_a_case() -> None:
    assert set(CASES) == set(FRAMEWORKS)


@pytest.mark.parametrize("name", CASES)
def test_a_cells_code_goes_live(name: str, stack: Stack, tmp_path: Path, get: Callable[..., str], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    case = CASES[name]
    app = f"%%app {name}-app --framework {name} --port 8123\n{case.code}"
    url = live(stack, tmp_path, monkeypatch, f"{name}-app", app, "dep = %defang up")
    assert case.said in get(url.rstrip("/") + case.path)


def test_a_notebook_goes_live(stack: Stack, tmp_path: Path, get: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    report = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    report.cells = [nbformat.v4.new_code_cell("print('hello from', 'a report')")]
    nbformat.write(report, tmp_path / "report.ipynb")
    url = live(stack, tmp_path, monkeypatch, "report", "%app report --notebook report.ipynb", "dep = %defang up")
    assert "hello from a report" in get(url)


def test_a_function_goes_live(stack: Stack, tmp_path: Path, get: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    function = "factor = 3\ndef times(x: int) -> int:\n    return factor * x"
    url = live(stack, tmp_path, monkeypatch, "times", function, "import defang_nb\ndep = defang_nb.serve(times)")
    answer = get(url, data=json.dumps({"x": 14}).encode(), headers={"Content-Type": "application/json"})
    assert json.loads(answer) == 42


def live(stack: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, *cells: str) -> str:
    """Run the cells, of which the last makes `dep`; the address of its service `name`."""
    for variable, value in stack.environment.items():
        monkeypatch.setenv(variable, value)
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells = [nbformat.v4.new_code_cell(each) for each in ("%load_ext defang_nb", *cells, LIVE.format(name=name))]
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return "".join(str(each.text) for each in notebook.cells[-1].outputs if each.output_type == "stream")

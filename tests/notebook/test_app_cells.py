"""`%%app` cells in a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from defang_nb.client import api
from defang_nb.errors import NotFoundError, UnsupportedError, UsageError
from tests.notebook.conftest import Notebook

FLASK = "from flask import Flask\napp = Flask(__name__)\n"


def test_an_app_is_shown_and_becomes_the_project(notebook: Notebook) -> None:
    notebook.run(f"%%app web --port 5050 --with postgres\n{FLASK}")
    assert notebook.error is None, notebook.text
    assert "config POSTGRES_PASSWORD was not set" in notebook.text
    assert "gunicorn --bind=0.0.0.0:5050" in notebook.plain
    assert "web · 2 services" in notebook.plain
    assert "App web" in notebook.html
    assert api.config_ls("web") == ["POSTGRES_PASSWORD"]
    notebook.run("%defang show")
    assert "── web/Dockerfile\nFROM python:" in notebook.text
    assert "x-defang-postgres: true" in notebook.text


def test_apps_join_the_compose_text_that_is_there(notebook: Notebook) -> None:
    notebook.run("%%compose\nname: shop\nservices:\n  cache:\n    image: redis:7\n")
    notebook.run(f"%%app web\n{FLASK}")
    assert "shop · 2 services" in notebook.plain
    notebook.run(f"%%app other --port 5001\n{FLASK}")
    assert "shop · 3 services" in notebook.plain
    notebook.run("%%compose\nname: shop\nservices:\n  cache:\n    image: redis:7\n  more:\n    image: redis:7\n")
    assert "shop · 4 services" in notebook.plain
    assert set(api.check(text=kept_text(notebook)).project.services) == {"cache", "more", "web", "other"}
    notebook.run(f"%%app web\n{FLASK}# again\n")
    assert "shop · 4 services" in notebook.plain


def kept_text(notebook: Notebook) -> str:
    return str(notebook.shell.magics_manager.registry["DefangMagics"].cells.find(None).source.text)


def test_wrong_code_fails_the_cell_at_its_line(notebook: Notebook) -> None:
    notebook.run("\n%%app web --framework flask\nimport flask\nsite = = 1\n")
    assert isinstance(notebook.error, UsageError)
    assert ":4:8: " in notebook.text
    assert "site = = 1" in notebook.text
    assert "Traceback" not in notebook.text


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("%%app web --framwork flask\n" + FLASK, "did you mean --framework?"),
        ("%app web", "--notebook FILE"),
        ("%%app web --framework flsk\n" + FLASK, "did you mean flask?"),
        ("%%app web --framework rails\n" + FLASK, "one of: streamlit, gradio"),
        ("%%app web --port 0\n" + FLASK, "from 1 to 65535"),
        ("%%app web --port 65536\n" + FLASK, "from 1 to 65535"),
        ("%%app web --port http\n" + FLASK, "%%app --help"),
        ("%%app web\nimport nosuch_module_of_anybody\n" + FLASK, "--requirements nosuch_module_of_anybody"),
        ("%%app web --notebook x.ipynb\n" + FLASK, "empty the cell"),
        ("%%app WEB\n" + FLASK, "lower-case"),
        ("%%app\n" + FLASK, "%%app --help"),
    ],
)
def test_a_wrong_line_is_told_in_a_line(cell: str, hint: str, notebook: Notebook) -> None:
    notebook.run(cell)
    assert isinstance(notebook.error, UsageError)
    assert hint in notebook.text
    assert "Traceback" not in notebook.text


def test_help_and_completion(notebook: Notebook) -> None:
    notebook.run("%%app --help\n ")
    assert notebook.text.startswith("usage: %%app [options] NAME")
    assert "streamlit" in notebook.complete("%%app web --framework ")
    assert "--include" in notebook.complete("%%app web --inc")


def test_show_writes_a_project_that_runs_elsewhere(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run("%defang show")
    assert isinstance(notebook.error, NotFoundError)
    notebook.run(f"%%app web\n{FLASK}")
    notebook.run("%defang show wbe")
    assert "did you mean web?" in notebook.text
    notebook.run("%defang show --write out")
    assert "out" in notebook.text
    assert set(api.check(tmp_path / "out" / "compose.yaml").project.services) == {"web"}
    assert yaml.safe_load((tmp_path / "out" / "compose.yaml").read_text())["services"]["web"]["build"]["context"] == "./web"
    notebook.run("%defang show --write out")
    assert isinstance(notebook.error, UsageError)


def test_what_the_stack_cannot_run_fails_the_cell(notebook: Notebook) -> None:
    notebook.run("%%compose\nname: shop\nservices:\n  db:\n    image: mysql:8\n")
    notebook.run(f"%%app web\n{FLASK}")
    assert isinstance(notebook.error, UnsupportedError)

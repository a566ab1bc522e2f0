"""A function becomes an app with everything that it uses; and what can't be served says why."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from defang_nb.errors import UsageError
from defang_nb.scaffold.app import Wish, write_app
from defang_nb.scaffold.function import function_app

CELLS = '''
import threading

class Model:
    def __init__(self, factor):
        self.factor = factor

model = Model(3)
lock = threading.Lock()

def helper(x):
    return model.factor * x

def predict(x: float, shift: float = 1) -> float:
    """Three times x, and a bit."""
    import yaml
    return yaml.safe_load(str(helper(x))) + shift

def locked(x):
    return lock

def starred(*xs):
    return xs

def uses_tools(x):
    import tools
    return tools.double(x)

anonymous = lambda x: x
'''


def notebook() -> dict[str, Any]:
    """Names as a notebook's cells leave them."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(CELLS, names)
    return names


def test_it_carries_what_it_uses_by_value(tmp_path: Path) -> None:
    app = function_app(notebook()["predict"], Wish(name="predict"), tmp_path)
    lines = str(app.files["requirements.txt"]).splitlines()
    assert {line.partition("==")[0] for line in lines} == {"fastapi", "uvicorn", "pydantic", "cloudpickle", "pyyaml"}
    assert f"cloudpickle=={metadata.version('cloudpickle')}" in lines
    compile(str(app.files["app.py"]), "app.py", "exec")
    write_app(app, tmp_path / "made")
    call = "import pickle; print(pickle.load(open('function.pkl', 'rb'))(2))"
    done = subprocess.run([sys.executable, "-P", "-c", call], cwd=tmp_path / "made", capture_output=True, text=True)
    assert done.stdout.strip() == "7", done.stderr


def test_modules_beside_it_go_along(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("import rich\ndef double(x):\n    return 2 * x\n")
    app = function_app(notebook()["uses_tools"], Wish(name="tools-api"), tmp_path)
    assert app.files["tools.py"] == tmp_path / "tools.py"
    assert "rich==" in str(app.files["requirements.txt"])


@pytest.mark.parametrize(
    ("name", "what"),
    [("anonymous", "a lambda"), ("Model", "a type"), ("locked", "can't travel"), ("starred", "can't give")],
)
def test_what_cannot_be_served(name: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        function_app(notebook()[name], Wish(name="web"), tmp_path)
    assert caught.value.hint


def test_the_pickle_holds_no_reference_to_the_notebook(tmp_path: Path) -> None:
    app = function_app(notebook()["predict"], Wish(name="predict"), tmp_path)
    content = app.files["function.pkl"]
    assert isinstance(content, bytes)
    assert pickle.loads(content)(1) == 4

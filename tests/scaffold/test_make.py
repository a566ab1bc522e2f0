"""What is made of an app's code: what it needs, what serves it, and one clear word for code that is no app."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from defang_nb.compose import Source, load
from defang_nb.errors import UsageError
from defang_nb.scaffold.app import App, Wish, make_app, write_app
from defang_nb.scaffold.frameworks import FRAMEWORKS

CODE = {
    "streamlit": "import streamlit as st\nst.title('hi')\n",
    "gradio": "import gradio as gr\nwith gr.Blocks() as page:\n    gr.Markdown('hi')\n",
    "fastapi": "from fastapi import FastAPI\nservice = FastAPI()\n",
    "flask": "import flask\nsite = flask.Flask(__name__)\nif __name__ == '__main__':\n    site.run()\n",
    "panel": "import panel as pn\npn.Column('hi').servable()\n",
    "dash": "from dash import Dash\nboard = Dash()\n",
    "voila": "print(42)\n",
}
OBJECTS = {"gradio": "page", "fastapi": "service", "flask": "site", "dash": "board"}


def lines(app: App) -> list[str]:
    return str(app.files["requirements.txt"]).splitlines()


def failure(code: str, folder: Path, **wish: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        make_app(Wish(name="web", **wish), code, folder, label="cell [3]", first=5)  # type: ignore[arg-type]
    return caught.value


def place(error: UsageError) -> str:
    return str(error.diagnostics[0].position)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_framework_gives_a_project_that_loads(name: str, tmp_path: Path) -> None:
    app = make_app(Wish(name="web", framework=name, stores=["postgres,redis"]), CODE[name], tmp_path)
    assert app.framework == name
    assert any(line.partition("=")[0] == FRAMEWORKS[name].packages[0] for line in lines(app))
    command = json.loads(str(app.files["Dockerfile"]).rpartition("CMD ")[2])
    assert str(app.port) in " ".join(command) or name == "gradio"
    if name in OBJECTS:
        assert OBJECTS[name] in " ".join(command) + str(app.files.get("serve.py"))
    write_app(app, tmp_path / "made")
    project = load([Source("web", app.compose(tmp_path / "made"))], working_dir=tmp_path, project_name="p").project
    assert set(project.services) == {"web", "postgres", "redis"}
    assert project.config_keys() == {"POSTGRES_PASSWORD": ("web", "postgres")}


@pytest.mark.parametrize("name", [name for name in FRAMEWORKS if name != "voila"])
def test_the_framework_is_told_by_the_imports(name: str, tmp_path: Path) -> None:
    assert make_app(Wish(name="web"), CODE[name], tmp_path).framework == name


def test_two_frameworks_are_a_question(tmp_path: Path) -> None:
    assert "--framework" in failure(CODE["flask"] + CODE["dash"], tmp_path).hint
    assert "--framework" in failure("print(1)\n", tmp_path).hint


def test_packages_are_those_of_this_python_under_their_own_names(tmp_path: Path) -> None:
    code = CODE["flask"] + "import yaml, grpc, os, sklearn.svm\nfrom google.protobuf import message\nimport psycopg\n"
    found = lines(make_app(Wish(name="web"), code, tmp_path))
    assert f"pyyaml=={metadata.version('pyyaml')}" in found
    assert f"grpcio=={metadata.version('grpcio')}" in found
    assert f"protobuf=={metadata.version('protobuf')}" in found
    assert f"psycopg[binary]=={metadata.version('psycopg')}" in found
    assert any(line.startswith("scikit-learn") for line in found)
    assert not any(line.startswith("os") for line in found)


def test_an_unknown_import_is_never_guessed(tmp_path: Path) -> None:
    error = failure(CODE["flask"] + "import some_strangers_code\n", tmp_path)
    assert place(error) == "cell [3]:9:1"
    assert "some_strangers_code" in error.message
    assert error.diagnostics[0].excerpt == "import some_strangers_code"
    assert "--requirements" in error.hint
    code = CODE["flask"] + "try:\n    import some_strangers_code\nexcept ImportError:\n    pass\n"
    assert not any("stranger" in line for line in lines(make_app(Wish(name="web"), code, tmp_path)))


def test_requirements_that_are_given_come_first(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("# ours\nFlask<3\n\nhttpx>=0.27\n")
    wish = Wish(name="web", requirements=["more.txt", "rich, some-strangers-code==1.0"])
    found = lines(make_app(wish, CODE["flask"] + "import some_strangers_code\n", tmp_path))
    assert found[:4] == ["Flask<3", "httpx>=0.27", "rich", "some-strangers-code==1.0"]
    assert sum(line.lower().startswith("flask") for line in found) == 1
    assert "gone.txt" in failure(CODE["flask"], tmp_path, requirements=["gone.txt"]).message
    assert "no requirement" in failure(CODE["flask"], tmp_path, requirements=["!!"]).message


def test_modules_and_files_beside_the_notebook_go_along(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("from parts import deep\nimport rich\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / "deep.py").write_text("import httpx\n")
    (tmp_path / "sales.csv").write_text("a,b\n")
    (tmp_path / ".env").write_text("SECRET=1\n")
    (tmp_path / "unused.csv").write_text("")
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "logo.svg").write_text("<svg/>")
    code = (
        CODE["flask"] + "import tools\nopen('sales.csv'); open('.env'); open('../x'); open('/etc/passwd'); open('gone.csv')\n"
    )
    app = make_app(Wish(name="web", include=["extra"]), code, tmp_path)
    assert set(app.files) == {
        "app.py", "requirements.txt", "Dockerfile", "tools.py", "parts/__init__.py", "parts/deep.py", "sales.csv",
        "extra/logo.svg",
    }  # fmt: skip
    assert {"rich", "httpx"} <= {line.partition("==")[0] for line in lines(app)}
    write_app(app, tmp_path / "made")
    write_app(make_app(Wish(name="web"), CODE["flask"], tmp_path), tmp_path / "made")
    assert {each.name for each in (tmp_path / "made").iterdir()} == {"app.py", "requirements.txt", "Dockerfile"}
    assert "finds no file" in failure(CODE["flask"], tmp_path, include=["*.parquet"]).message


def test_settings_that_the_code_cannot_do_without_are_configuration(tmp_path: Path) -> None:
    code = (
        CODE["flask"]
        + "import os\nos.environ['OPENAI_API_KEY']; os.environ['HOME']; os.environ['SET'] = '1'; os.getenv('MAYBE')\n"
    )
    app = make_app(Wish(name="web"), code, tmp_path)
    assert app.settings == ("OPENAI_API_KEY",)
    assert yaml.safe_load(app.compose("."))["services"]["web"]["environment"] == {"OPENAI_API_KEY": None}


def test_a_store_brings_its_driver_unless_there_is_one(tmp_path: Path) -> None:
    def drivers(code: str) -> set[str]:
        app = make_app(Wish(name="web", stores=["postgres"]), CODE["flask"] + code, tmp_path)
        return {line.partition("==")[0] for line in lines(app)} - {"flask", "gunicorn", "sqlalchemy"}

    assert drivers("") == {"psycopg[binary]"}
    assert drivers("import sqlalchemy\n") == {"psycopg2-binary"}
    assert drivers("import psycopg2\n") == {"psycopg2-binary"}
    assert "one of: postgres, redis" in failure(CODE["flask"], tmp_path, stores=["oracle"]).hint
    with pytest.raises(UsageError, match="can't both"):
        make_app(Wish(name="redis", stores=["redis"]), CODE["flask"], tmp_path)


@pytest.mark.parametrize(
    ("code", "where", "what"),
    [
        ("import flask\nsite = = 1\n", "cell [3]:6:8", "no Python"),
        ("import flask\n  %matplotlib inline\n", "cell [3]:6:1", "notebook's command"),
        ("import flask\n!ls\n", "cell [3]:6:1", "notebook's command"),
        ("import flask\n", "cell [3]:5:1", "makes no flask app"),
        ("import flask\nsite = flask.Flask('x')\nsite.run(debug=True)\n", "cell [3]:7:1", "second server"),
        ("import fastapi, uvicorn\napp = fastapi.FastAPI()\nuvicorn.run(app)\n", "cell [3]:7:1", "second server"),
        ("import panel\npanel.Column()\n", "cell [3]:5:1", "servable"),
        ("import flask\0\n", "cell [3]:5:1", "no Python"),
    ],
)
def test_code_that_is_no_app_says_why_and_where(code: str, where: str, what: str, tmp_path: Path) -> None:
    error = failure(code, tmp_path)
    assert what in error.message
    assert place(error).rpartition(":")[0] == where.rpartition(":")[0]
    assert error.hint or "no Python" in what


@pytest.mark.parametrize(
    ("wish", "what"),
    [({"port": 70000}, "no port"), ({"port": -1}, "no port"), ({"framework": "shiny"}, "no framework")],
)
def test_wishes_that_cannot_be_met(wish: dict[str, object], what: str, tmp_path: Path) -> None:
    assert what in failure(CODE["flask"], tmp_path, **wish).message


def test_a_notebook_goes_without_its_outputs(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# import nothing_at_all"]},
        {
            "cell_type": "code", "metadata": {}, "execution_count": 3, "outputs": [{"output_type": "stream", "text": "token"}],
            "source": ["%pip install -q cowsay\n", "import cowsay, rich\n", "if True:\n", "    !ls\n"],
        },
    ]  # fmt: skip
    (tmp_path / "report.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    app = make_app(Wish(name="web"), "", tmp_path, notebook=Path("report.ipynb"))
    written = json.loads(str(app.files["app.ipynb"]))
    assert written["cells"][1]["outputs"] == []
    assert "token" not in str(app.files["app.ipynb"])
    assert {"cowsay", "voila", "ipykernel"} <= {line.partition("==")[0] for line in lines(app)}
    (tmp_path / "broken.ipynb").write_text("{}")
    for name, what in (("gone.ipynb", "no notebook"), ("broken.ipynb", "can be read")):
        with pytest.raises(UsageError, match=what):
            make_app(Wish(name="web"), "", tmp_path, notebook=Path(name))
    with pytest.raises(UsageError, match="with voila"):
        make_app(Wish(name="web", framework="flask"), "", tmp_path, notebook=Path("report.ipynb"))

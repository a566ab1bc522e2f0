"""The command and the steps for contexts without a Dockerfile."""

import pytest

from defang_nb.providers.local.process.images.detect import detect
from defang_nb.providers.local.process.images.machine import Machine

NODE = Machine(node="/usr/bin/node", node_major="20", programs=frozenset(("npm",)))


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"app_py": "from flask import Flask\napp = Flask(__name__)\n", "requirements_txt": "Flask==2\n"}, "python app.py"),
        (
            {"app_py": "from flask import Flask\napp = Flask(__name__)\n", "requirements_txt": "flask\ngunicorn\n"},
            "gunicorn app:app --bind 0.0.0.0:${PORT:-8000}",
        ),
        (
            {"main_py": "from fastapi import FastAPI\napi = FastAPI()\n", "requirements_txt": "fastapi\nuvicorn\n"},
            "uvicorn main:api --host 0.0.0.0 --port ${PORT:-8000}",
        ),
        ({"manage_py": "", "requirements_txt": "django\n"}, "python manage.py runserver 0.0.0.0:${PORT:-8000}"),
        (
            {"manage_py": "", "site__wsgi_py": "", "requirements_txt": "Django\ngunicorn\n"},
            "gunicorn --bind 0.0.0.0:${PORT:-8000} site.wsgi:application",
        ),
        (
            {"app_py": "import streamlit as st\n", "requirements_txt": "streamlit\n"},
            "streamlit run app.py --server.port ${PORT:-8000} --server.address 0.0.0.0 --server.headless true",
        ),
        ({"Procfile": "release: x\nweb: serve $PORT\n", "app_py": ""}, "serve $PORT"),
        ({"only_py": ""}, ""),
    ],
)
def test_python_commands(write, machine, files, command):
    cmd = detect(write(**files), machine).stages[0].config.cmd if files != {"only_py": ""} else ()
    assert cmd == (("/bin/sh", "-c", command) if command else ())


@pytest.mark.parametrize(
    ("files", "titles", "command"),
    [
        (
            {"package.json": '{"scripts": {"start": "x", "build": "y"}}', "package-lock.json": "{}"},
            ["npm ci", "npm run build"],
            "npm run start",
        ),
        ({"package.json": '{"main": "server.js"}', "server.js": ""}, ["npm install"], "node server.js"),
    ],
)
def test_node(write, files, titles, command):
    stage = detect(write(**files), NODE).stages[0]
    assert [step.title for step in stage.steps][1:] == titles
    assert stage.config.cmd[-1] == command


def test_a_vite_build_is_static_files(write):
    found = detect(write(**{"package.json": '{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "5"}}'}), NODE)
    assert (found.kind.value, found.stages[0].config.workdir) == ("static", "/app/dist")


def test_static_files(write, machine):
    found = detect(write(**{"index.html": "x"}), machine)
    assert (found.kind.value, found.stages[0].config.workdir) == ("static", "/app")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pyproject.toml": "[project]\n", "main_py": ""}, ("-r", "pyproject.toml")),
        ({"pyproject.toml": "[project]\n", "poetry.lock": "", "main_py": ""}, ("-r", "pyproject.toml", "-c", "poetry.lock")),
        ({"pyproject.toml": "[build-system]\n", "poetry.lock": "", "main_py": ""}, (".", "-c", "poetry.lock")),
    ],
)
def test_a_poetry_lock_holds_the_versions(write, machine, files, words):
    steps = detect(write(**files), machine).stages[0].steps
    assert [task.action.words for step in steps[1:] for task in step.tasks] == [words]

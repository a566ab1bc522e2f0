"""Every magic with every flag, run as cells of one notebook by nbclient, against a real local cd."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from defang_nb.commands.parse import split
from defang_nb.commands.tree import tree
from defang_nb.commands.words import Face

if TYPE_CHECKING:
    from conftest import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")]

COMPOSE = """name: all
services:
  web:
    build: ./app
    ports: [{target: 8000, mode: ingress}]
    environment: [WORD]
"""
DOCKERFILE = 'FROM python:3-slim\nWORKDIR /app\nCOPY . .\nCMD ["python", "-m", "http.server", "8000"]\n'
FLASK = "from flask import Flask\napp = Flask(__name__)\n"

CELLS = (
    ("%load_ext defang_nb", ""),
    ("value = 'from the notebook'", ""),
    (f"%%compose all\n{COMPOSE}", ""),
    ("%%compose --help\n ", ""),
    ("%defang version", ""),
    ("%defang doctor", ""),
    ("%defang whoami --stack local", ""),
    ("%defang stack new prod --provider aws --region us-east-1 --profile nobody --mode balanced --default", ""),
    ("%defang stack new prod --mode affordable --change", ""),
    ("%defang stack ls", ""),
    ("%defang stack show prod", ""),
    ("%defang stack default local", ""),
    ("%defang stack rm prod --force", ""),
    ("%defang estimate --mode affordable --region us-east-1", ""),
    ("%defang estimate -f compose.yaml -p all --stack local --profile x --env-file .env", ""),
    ("%defang compose config --services", ""),
    ("%defang compose config -f compose.yaml -p all --profile x --env-file .env --no-interpolate --format json", ""),
    ("%defang compose config --all-resources --as-compose --output made.yaml", ""),
    ("%defang compose config --quiet", ""),
    ("%defang compose config --volumes", ""),
    ("%defang compose config --networks", ""),
    ("%defang compose config --models", ""),
    ("%defang compose config --profiles", ""),
    ("%defang compose config --images", ""),
    ("%defang up", "ConfigMissingError"),
    ("%defang config set WORD --random -p all --stack local", ""),
    ("%defang config set WORD --file secret.txt", ""),
    ("%defang config set OTHER --from-variable value", ""),
    ("%defang config ls -p all --stack local", ""),
    ("%defang config rm OTHER -p all --stack local", ""),
    ("%defang preview --out made.plan --output plan", ""),
    ("%defang preview -f compose.yaml -p all --stack local --profile x --env-file .env --engine process --build", ""),
    ("%defang preview --builder engine", ""),
    ("%defang up --plan made.plan --yes", ""),
    ("%defang up -f compose.yaml -p all --stack local --profile x --env-file .env --engine process --output dep", ""),
    ("assert dep.outcome.value == 'succeeded'", ""),
    ("%defang up --build --wait-timeout 100", ""),
    ("%defang up --dry-run --builder engine", ""),
    ("%defang up --detach", ""),
    ("%defang attach -p all --stack local --output dep", ""),
    ("%defang cancel -p all --stack local", ""),
    ("%defang ps -f compose.yaml -p all --stack local", ""),
    ("%defang ps", ""),
    ("%defang exec --env A=1 --workdir . --index 1 -p all --stack local web true", ""),
    ("%defang exec --user nobody web true", "UsageError"),
    ("%defang restart -p all --stack local web", ""),
    ("%defang logs --tail 5 --since 1h --until 1s -p all --stack local web", ""),
    ("%defang logs --follow --until 1s", ""),
    ("%defang logs --filter GET --type run", ""),
    ("%defang tail --since 1h --until 1s --tail 5 --filter GET --type run -p all --stack local web", ""),
    ("%defang scale web=1 -p all --stack local --detach --output dep", ""),
    ("dep.wait()", ""),
    ("%defang stats --no-stream -p all --stack local", ""),
    ("%defang stats --samples 2", ""),
    ("board = %defang dashboard -p all --stack local", ""),
    ("board.close()", ""),
    ("%defang deployments -p all --stack local --limit 3 --kind up --outcome succeeded", ""),
    ("%defang refresh -f compose.yaml -p all --stack local --accept --output dep", ""),
    (f"%%compose all\n{COMPOSE}    command: python -m http.server 8000 --directory /tmp\n", ""),
    ("%defang up", ""),
    ("%defang rollback --dry-run -p all --stack local", ""),
    ("%defang rollback --detach --yes --wait-timeout 100 --output dep", ""),
    ("dep.wait()", ""),
    ("%defang stack repair -p all --stack local", ""),
    ("%defang stack doctor --remove-orphans --yes -p all --stack local", ""),
    ("%defang cd status --stack local", "UsageError"),
    ("%defang cd install --stack local", "UsageError"),
    ("%defang down --dry-run -f compose.yaml -p all --stack local", ""),
    ("%defang down --detach --yes --wait-timeout 100 --output dep", ""),
    ("dep.wait()", ""),
    ("%defang cd teardown --yes --stack local", "UsageError"),
    (f"%%app page --framework flask --port 5050 --requirements rich --with redis --include secret.txt\n{FLASK}", ""),
    ("%defang show -p all", ""),
    ("%defang show --write out", ""),
    ("%app --help", ""),
    ("%unload_ext defang_nb", ""),
)


def lines() -> list[list[str]]:
    return [split(cell.partition("%defang ")[2]) for cell, _ in CELLS if "%defang " in cell]


def test_the_table_has_every_command_and_every_flag() -> None:
    lacking = []
    for command in tree(Face.NOTEBOOK):
        said = {word for line in lines() if line[: len(command.path)] == [*command.path] for word in line}
        if not said:
            lacking.append(command.name)
        flags = [each.flags for each in command.options_for(Face.NOTEBOOK) if "--help" not in each.flags]
        lacking += [f"{command.name} {each[-1]}" for each in flags if not said.intersection(each)]
    assert lacking == []


def test_every_cell_does_what_it_should(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / "secret.txt").write_text("a secret of a file\n")
    for name, each in stack.environment.items():
        monkeypatch.setenv(name, each)
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell, _ in CELLS]
    NotebookClient(notebook, timeout=200, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    wrong = [
        f"{cell.source.splitlines()[0]}: {found or 'went well'}, not {wanted or 'well'}\n{_told(cell)}"
        for cell, (_, wanted) in zip(notebook.cells, CELLS, strict=True)
        if (found := _error(cell)) != wanted
    ]
    assert wrong == [], "\n\n".join(wrong)
    saved = nbformat.writes(notebook)
    assert "a secret of a file" not in saved
    assert "Traceback" not in saved


def _error(cell: Any) -> str:
    return next((str(each.ename) for each in cell.outputs if each.output_type == "error"), "")


def _told(cell: Any) -> str:
    told = "\n".join("\n".join(each.get("traceback", ())) or str(each.get("text", "")) for each in cell.outputs)
    return re.sub(r"\x1b\[[0-9;]*m", "", told)[-600:]

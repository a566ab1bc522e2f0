"""The smallest set of changes: what is not touched by an edit goes on running, process for process."""

from __future__ import annotations

from defang_nb.client import api
from tests.client.conftest import App

COMPOSE = """
name: shop
services:
  web:
    build: .
    ports: ["8000"]
    environment: {{GATE: {gate}, ANSWER: "{answer}"}}
  worker:
    build: .
    command: python -c "import time; time.sleep(1000)"
    deploy: {{replicas: {workers}}}
"""


def pids() -> dict[str, tuple[int, ...]]:
    return {each.service: each.pids for each in api.ps()}


def test_one_changed_value_restarts_one_service(app: App) -> None:
    app.open()
    app.write(COMPOSE.format(gate=app.gate, answer=1, workers=1))
    api.up(working_dir=app.folder)
    before = pids()
    app.write(COMPOSE.format(gate=app.gate, answer=2, workers=1))
    api.up(working_dir=app.folder)
    after = pids()
    assert after["worker"] == before["worker"]
    assert after["web"] != before["web"]


def test_scaling_a_worker_and_removing_it_leaves_the_other_service_alone(app: App) -> None:
    app.open()
    app.write(COMPOSE.format(gate=app.gate, answer=1, workers=1))
    api.up(working_dir=app.folder)
    web = pids()["web"]
    app.write(COMPOSE.format(gate=app.gate, answer=1, workers=3))
    api.up(working_dir=app.folder)
    assert (len(pids()["worker"]), pids()["web"]) == (3, web)
    app.write(COMPOSE.format(gate=app.gate, answer=1, workers=1).partition("  worker:")[0])
    removed = api.up(working_dir=app.folder)
    assert removed.view.message == "1 deleted"
    assert pids() == {"web": web}

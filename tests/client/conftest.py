"""Small real projects for a real cd: a Python web app that answers once its gate is open."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from defang_nb.client.deployment import Deployment
from defang_nb.model.view import DeploymentView
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.rendezvous import Rendezvous

APP = """
import http.server, os, pathlib, time
gate = pathlib.Path(os.environ["GATE"])
while not gate.exists():
    time.sleep(0.02)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
COMPOSE = """
name: {name}
services:
  web:
    build: .
    ports: ["8000"]
    environment:
      GATE: {gate}
"""


@dataclass(frozen=True)
class App:
    """A project in a folder of its own."""

    folder: Path
    gate: Path

    def open(self) -> None:
        """From now on it answers."""
        self.gate.touch()

    def write(self, compose: str) -> None:
        (self.folder / "compose.yaml").write_text(compose)


@pytest.fixture
def app(tmp_path: Path, home: Path) -> App:
    return make_app(tmp_path, "shop")


def make_app(where: Path, name: str) -> App:
    app = App(where / name, where / f"{name}.open")
    app.folder.mkdir()
    (app.folder / "app.py").write_text(APP)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    dockerfile = f'FROM python:{version}\nWORKDIR /srv\nCOPY . .\nEXPOSE 8000\nCMD ["python", "app.py"]\n'
    (app.folder / "Dockerfile").write_text(dockerfile)
    app.write(COMPOSE.format(name=name, gate=app.gate))
    return app


@pytest.fixture
def cd(home: Path) -> Callable[[], psutil.Process]:
    """The process of this home's cd."""

    def find() -> psutil.Process:
        pid = Rendezvous(StackPaths.of("local")).holder()
        assert pid is not None
        return psutil.Process(pid)

    return find


def until(deployment: Deployment, reached: Callable[[DeploymentView], bool], timeout: float = 60) -> None:
    """Wait until the deployment's view is like that."""
    there = threading.Event()
    stop = deployment.subscribe(lambda view, event: there.set() if reached(view) else None)
    try:
        assert there.wait(timeout), deployment.view
    finally:
        stop()


@pytest.fixture
def begun(app: App) -> Iterator[Deployment]:
    """A deployment whose service has been started, and waits at its gate."""
    from defang_nb.client import api

    deployment = api.start_up(working_dir=app.folder)
    until(deployment, lambda view: view.done or view.stage.value == "settling")
    assert not deployment.view.done, deployment.view
    yield deployment
    app.open()

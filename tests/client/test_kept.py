"""What a deployment keeps, and what it must not: data stays until its loss is agreed to, secrets are written nowhere else."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

from defang_nb.client import api
from defang_nb.model.events import ServiceState
from defang_nb.providers.local.paths import StackPaths
from defang_nb.wire import event_to_json
from tests.client.conftest import App

WITH_DATABASE = """
name: shop
services:
  db:
    image: postgres:16
    x-defang-postgres: true
    environment: {POSTGRES_PASSWORD: not-a-secret}
"""
SECRET = "s3cr3t-of-the-build"  # made up for this test
WITH_ARGUMENT = """
name: shop
services:
  web:
    build:
      context: .
      args: {TOKEN: "${TOKEN}"}
    ports: ["8000"]
"""
DOCKERFILE = """FROM python:3-slim
WORKDIR /srv
ARG TOKEN
ENV TOKEN=$TOKEN
RUN python -c "import os; print('the token is', os.environ['TOKEN'])"
COPY . .
CMD ["python", "app.py"]
"""
APP = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(len(os.environ["TOKEN"])).encode())
print("started with", os.environ["TOKEN"], flush=True)
http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


def test_down_keeps_data_until_its_loss_is_agreed_to(app: App) -> None:
    app.write(WITH_DATABASE)
    data = StackPaths.of("local").data / "shop" / "db"
    api.up(working_dir=app.folder)
    kept = api.down(working_dir=app.folder)
    assert [each.message for each in kept.view.diagnostics] == ["kept, since it holds data: data of db"]
    assert kept.services["db"].state is ServiceState.DEPLOYMENT_SCALED_IN
    assert (api.ps(), data.is_dir()) == ([], True)

    again = api.up(working_dir=app.folder)
    assert again.services["db"].state is ServiceState.DEPLOYMENT_COMPLETED
    gone = api.down(working_dir=app.folder, yes=True)
    assert gone.view.diagnostics == ()
    assert (api.ps(), data.exists()) == ([], False)


def test_a_secret_build_argument_is_written_nowhere(app: App, home: Path) -> None:
    app.write(WITH_ARGUMENT)
    (app.folder / "Dockerfile").write_text(DOCKERFILE)
    (app.folder / "app.py").write_text(APP)
    api.config_set("TOKEN", SECRET, working_dir=app.folder)
    deployment = api.up(working_dir=app.folder)
    with urlopen(deployment.endpoints["web"], timeout=10) as answer:
        assert answer.read() == str(len(SECRET)).encode()
    story = "\n".join(map(event_to_json, deployment.events))
    assert "the token is" in story
    assert SECRET not in story
    config = StackPaths.of("local").config
    files = [path for path in home.rglob("*") if path.is_file() and not path.is_relative_to(config)]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []

    api.config_set("TOKEN", f"{SECRET}-2", working_dir=app.folder)
    changed = api.up(working_dir=app.folder)
    with urlopen(changed.endpoints["web"], timeout=10) as answer:
        assert answer.read() == str(len(SECRET) + 2).encode()
    api.down(working_dir=app.folder)

"""What was deployed is kept: listed, told in full, and deployed again for real, without a workspace's help."""

from __future__ import annotations

import shutil
from urllib.request import urlopen

import pytest

from defang_nb.client import api
from defang_nb.client.deployment import Deployment
from defang_nb.errors import BuildError, ConfigMissingError, DeploymentFailedError, NotFoundError, UsageError
from defang_nb.model.events import Kind, Outcome, ServiceState
from defang_nb.model.plan import Action
from defang_nb.providers.local.paths import StackPaths
from tests.client.conftest import App

COMPOSE = """
name: shop
services:
  web:
    build: .
    ports: ["8000"]
    environment: {COLOUR: %s}
"""
APP = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("%s " + os.environ["COLOUR"]).encode())
http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


def write(app: App, version: str, colour: str) -> None:
    app.write(COMPOSE % colour)
    (app.folder / "app.py").write_text(APP % version)


def answer(deployment: Deployment) -> str:
    with urlopen(deployment.endpoints["web"], timeout=10) as found:
        body: bytes = found.read()
    return body.decode()


def test_an_earlier_deployment_is_deployed_again(app: App) -> None:
    write(app, "one", "blue")
    first = api.up(working_dir=app.folder)
    write(app, "two", "green")
    second = api.up(working_dir=app.folder)
    assert answer(second) == "two green"
    shutil.rmtree(app.folder)

    planned = api.rollback(first.id[:-1], dry_run=True)
    assert planned.view.plan is not None
    assert planned.view.plan.count(Action.UPDATE) == 1
    assert answer(second) == "two green"

    back = api.rollback(project="shop")
    assert answer(back) == "one blue"
    assert back.services["web"].state is ServiceState.DEPLOYMENT_COMPLETED
    assert [each.code for each in back.view.diagnostics] == ["rollback"]
    assert first.id in back.view.diagnostics[0].message
    assert api.rollback(first.id).view.message == "nothing to change"
    assert answer(api.rollback(project="shop")) == "two green"

    told = api.deployment(back.id)
    assert (told.kind, told.outcome, told.by, told.duration) == (
        Kind.UP, Outcome.SUCCEEDED, second.view.by, pytest.approx(back.view.finished - back.view.started, abs=0.01),
    )  # fmt: skip
    assert told.asked is not None
    assert told.asked.rollback_of == first.id
    assert [(each.services, each.context_kept) for each in told.asked.images] == [(("web",), True)]
    assert told.plan == back.view.plan
    assert [step.status.value for step in told.steps] == ["done"] * 3
    assert api.attach(back.id).wait(20).events == back.events


def test_what_can_not_be_built_again_is_refused_before_anything_is_touched(app: App) -> None:
    write(app, "one", "blue")
    first = api.up(working_dir=app.folder)
    write(app, "two", "green")
    second = api.up(working_dir=app.folder)
    image = api.deployment(first.id).asked
    assert image is not None
    (StackPaths.of("local").store / "contexts" / f"{image.images[0].digest}.tar.gz").unlink()
    with pytest.raises(DeploymentFailedError, match=r"image of web .* build context is no longer kept") as caught:
        api.rollback(first.id)
    assert caught.value.exit_code == BuildError.exit_code
    assert answer(second) == "two green"
    assert answer(api.rollback(second.id)) == "two green"


def test_not_everything_can_be_deployed_again(app: App) -> None:
    with pytest.raises(NotFoundError, match="no earlier deployment of 'shop'"):
        api.rollback(working_dir=app.folder)
    write(app, "one", "blue")
    first = api.up(working_dir=app.folder)
    with pytest.raises(NotFoundError, match="no earlier deployment of 'shop'"):
        api.rollback(project="shop")
    down = api.down("shop")
    with pytest.raises(UsageError, match="took the project down") as caught:
        api.rollback(down.id)
    assert "--kind up" in caught.value.hint
    preview = api.preview(working_dir=app.folder)
    with pytest.raises(UsageError, match="was a preview"):
        api.rollback(preview.id)
    with pytest.raises(NotFoundError):
        api.rollback("nothing")
    (StackPaths.of("local").store / f"projects/shop/deployments/{first.id}/request.json").unlink()
    with pytest.raises(NotFoundError, match="no longer kept"):
        api.rollback(first.id)
    assert api.deployment(first.id).asked is None


def test_configuration_is_today_s(app: App) -> None:
    write(app, "one", "")
    api.config_set("COLOUR", "red", project="shop")
    first = api.up(working_dir=app.folder)
    api.config_rm("COLOUR", project="shop")
    with pytest.raises(ConfigMissingError, match="COLOUR"):
        api.rollback(first.id)
    api.config_set("COLOUR", "white", project="shop")
    assert answer(api.rollback(first.id)) == "one white"


def test_lists_are_filtered(app: App) -> None:
    write(app, "one", "blue")
    up = api.up(working_dir=app.folder)
    (app.folder / "Dockerfile").write_text("FROM python:3\nRUN python -c 'raise SystemExit(1)'\nCMD python app.py\n")
    with pytest.raises(DeploymentFailedError):
        api.up(working_dir=app.folder)
    failed = api.deployment()
    assert failed.outcome is Outcome.FAILED
    assert failed.message
    preview = api.preview(working_dir=app.folder)
    assert [each.id for each in api.deployments(kind="up")] == [failed.id, up.id]
    assert [each.id for each in api.deployments(outcome="failed")] == [failed.id]
    assert [each.id for each in api.deployments(outcome="succeeded", limit=1)] == [preview.id]
    assert api.deployments(outcome="running") == []
    assert api.deployments("other") == []
    for wrong in ({"kind": "sideways"}, {"outcome": "great"}):
        with pytest.raises(UsageError):
            api.deployments(**wrong)
    assert answer(api.rollback(project="shop")) == "one blue"

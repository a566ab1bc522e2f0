"""All stacks at once, read without any deployment of this process's own; and scaling."""

from __future__ import annotations

import pytest

from defang_nb.client import api, loop
from defang_nb.client.overview import monthly
from defang_nb.client.place import workspace_of
from defang_nb.client.workspace import Workspace
from defang_nb.errors import NotFoundError
from defang_nb.model.overview import StackOverview
from defang_nb.model.stack import Stack
from tests.client.conftest import App

COMPOSE = """
name: shop
services:
  worker:
    build: .
    command: ["python", "-c", "import time; time.sleep(600)"]
"""


def local() -> StackOverview:
    return next(each for each in api.overview().stacks if each.name == "local")


def test_what_runs_what_it_uses_and_what_was_deployed(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app.folder)
    (app.folder / ".defang").mkdir()
    (app.folder / ".defang" / "broken").write_text("DEFANG_PROVIDER=nowhere\n")
    app.write(COMPOSE)
    api.config_set("API_KEY", "s3cret", project="shop")
    first = api.up()
    found = api.overview()
    stack = next(each for each in found.stacks if each.name == "local")
    [project] = stack.projects
    assert [(each.service, each.running) for each in project.services] == [("worker", 1)]
    assert [each.memory > 0 for each in project.usage] == [True]
    assert project.config == ("API_KEY",)
    assert project.monthly is None, "this machine is paid for"
    there = Workspace(Stack(name="prod", provider="aws", settings={"AWS_REGION": "us-east-1"}))
    kept = loop.run(workspace_of("local", None).history())
    assert (loop.run(monthly(there, kept, "shop")) or 0) > 1
    assert loop.run(monthly(there, kept, "never-deployed")) is None
    known = loop.run(workspace_of("local", None).pace("shop", "another"))
    assert known.steps
    assert loop.run(workspace_of("local", None).pace("never-deployed", "another")) == known, (
        "a new project's steps are like others'"
    )
    assert [each.id for each in stack.history] == [first.id]
    assert not stack.unfinished
    assert next(each for each in found.stacks if each.name == "broken").trouble


@pytest.mark.e2e
def test_a_service_is_scaled(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app.folder)
    app.write(COMPOSE)
    api.up()
    api.start_scale({"worker": 2}).wait()
    assert [each.wanted for each in local().projects[0].services] == [2]
    with pytest.raises(NotFoundError, match="no service 'wroker'"):
        api.start_scale({"wroker": 2})


def test_one_that_goes_on_is_found_by_whoever_looks(app: App) -> None:
    started = api.start_up(working_dir=app.folder).wait_accepted()
    [found] = local().unfinished
    assert (found.deployment.id, found.alive) == (started.id, True)
    app.open()
    started.wait()
    assert not local().unfinished

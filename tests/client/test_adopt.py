"""Real services whose record was lost: adopted as they run, or orphans to be removed; and a second `up` touches nothing."""

from __future__ import annotations

import shutil

from defang_nb.client import api
from defang_nb.client.deployment import Deployment
from defang_nb.model.plan import Action
from defang_nb.providers.local.paths import StackPaths
from tests.client.conftest import App
from tests.client.test_changes import COMPOSE, pids


def up(app: App, *, answer: int = 1) -> Deployment:
    app.open()
    app.write(COMPOSE.format(gate=app.gate, answer=answer, workers=1))
    return api.up(working_dir=app.folder)


def lose_the_record() -> None:
    shutil.rmtree(StackPaths.of("local").store / "projects" / "shop" / "state")


def test_a_second_up_touches_nothing(app: App) -> None:
    up(app)
    before = pids()
    again = up(app)
    assert again.view.plan is not None
    assert again.view.plan.mutations == ()
    assert pids() == before


def test_what_runs_is_adopted_and_goes_on_running(app: App) -> None:
    up(app)
    before = pids()
    lose_the_record()
    again = up(app)
    assert again.view.plan is not None
    assert {step.action for step in again.view.plan.steps} == {Action.ADOPT}
    assert pids() == before
    lose_the_record()
    changed = up(app, answer=2)
    assert changed.view.plan is not None
    assert [step.title for step in changed.view.plan.steps if step.action is Action.UPDATE] == ["web"]
    assert pids()["worker"] == before["worker"]


def test_orphans_are_listed_and_removed_and_what_is_foreign_is_not(app: App) -> None:
    up(app)
    assert api.orphans() == []
    lose_the_record()
    foreign = StackPaths.of("local").services / "notes.txt"
    foreign.write_text("mine")
    assert {each.title for each in api.orphans() if "image" not in each.title} >= {"web", "worker"}
    removed = api.start_orphan_removal("shop").wait()
    assert removed.view.outcome == "succeeded"
    assert api.orphans() == []
    assert pids() == {}
    assert foreign.read_text() == "mine"

"""The engine, the types and an AWS that moves by itself: apps come up, change, fail, go back, and leave nothing."""

from __future__ import annotations

import pytest

from defang_nb.model.events import LogLine, Outcome
from defang_nb.model.plan import Action
from tests.aws.handle import Simulation
from tests.providers.aws.stage import APP, Stage


async def test_an_app_comes_up_stays_as_it_is_changes_and_goes(stage: Stage, simulation: Simulation) -> None:
    applied = await stage.up(APP)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    recorded = await stage.recorded()
    assert recorded["shop/aws:ecs/Service/web"].outputs["endpoints"][0]["url"].startswith("http://")
    assert recorded["shop/aws:ecs/Job/migrate"].outputs["detail"].startswith("exited 0")
    simulation.forget()
    await stage.up(APP)
    assert stage.plan.mutations == ()
    assert simulation.counts().mutations() == {}
    simulation.forget()
    await stage.up(APP.replace("/x", "/y"))
    assert [(each.action, each.urn) for each in stage.plan.mutations] == [
        (Action.UPDATE, "shop/aws:ecs/TaskDefinition/web"),
        (Action.UPDATE, "shop/aws:ecs/Service/web"),
    ]
    assert sum(simulation.counts().mutations().values()) == 2
    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await stage.recorded() == {}
    assert simulation.problems() == []


@pytest.mark.e2e
async def test_a_service_that_does_not_get_well_tells_why_and_goes_back(stage: Stage, simulation: Simulation) -> None:
    await stage.up(APP)
    before = (await stage.recorded())["shop/aws:ecs/TaskDefinition/api"].outputs["arn"]
    simulation.behaviours({"match": "broken", "exit_code": 3, "lines": ["no such table"]})
    applied = await stage.up(APP.replace("image: python, command: serve", "image: broken"))
    error = applied.failed["shop/aws:ecs/Service/api"]
    assert "exited with code 3" in error.message and "no such table" in error.message
    assert LogLine(service="api", line="no such table") in stage.told
    assert applied.rolled_back == ("shop/aws:ecs/Service/api",)
    [live] = (
        await stage.account.call("ecs", "describe_services", cluster=stage.base.cluster, services=["defang-prod-shop-api"])
    )["services"]
    assert live["taskDefinition"] == before


@pytest.mark.e2e
async def test_a_one_off_that_fails_stops_who_waits_for_it(stage: Stage, simulation: Simulation) -> None:
    simulation.behaviours({"match": "migrate", "exit_code": 7, "lines": ["bad schema"]})
    applied = await stage.up(APP)
    assert "exited with code 7" in applied.failed["shop/aws:ecs/Job/migrate"].message
    assert "shop/aws:ecs/Service/web" in applied.skipped
    simulation.behaviours()
    assert (await stage.up(APP)).outcome is Outcome.SUCCEEDED


@pytest.mark.e2e
async def test_a_new_version_of_a_one_off_that_fails_does_not_run_the_old_one_again(
    stage: Stage, simulation: Simulation
) -> None:
    await stage.up(APP)
    simulation.behaviours({"match": "worse", "exit_code": 7})
    worse = APP.replace("migrate: {image: python, command: migrate", "migrate: {image: worse, command: migrate")
    applied = await stage.up(worse)
    assert (applied.outcome, applied.rolled_back) == (Outcome.FAILED, ())
    assert len([each for each in simulation.tasks() if "migrate" in each["family"]]) == 2
    simulation.behaviours()
    assert (await stage.up(worse)).outcome is Outcome.SUCCEEDED
    assert len([each for each in simulation.tasks() if "migrate" in each["family"]]) == 3

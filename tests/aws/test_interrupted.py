"""Deployments that something comes between, by the command line: what is told and stopped, and how the next one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from defang_nb.errors import DeploymentCancelledError, DeploymentFailedError
from tests.aws.handle import simulated, until
from tests.aws.user import SECRET, User, until_said

pytestmark = pytest.mark.e2e

BUILD = "defang-build-prod-shop-app"


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with simulated(log=tmp_path / "aws.log") as simulation:
        user = User(simulation, tmp_path)
        user.says("config", "set", f"PASSWORD={SECRET}")
        yield user
        user.says("down", "--yes")
        assert simulation.search(SECRET) == []
        assert simulation.problems() == []


def test_a_cancellation_stops_the_build_in_the_account(user: User) -> None:
    user.simulation.behaviours({"match": BUILD, "exit_code": 0, "after": 600})
    with user.begins("up") as begun:
        until_said(begun, "api: ◐ building")
        [task] = until(lambda: [each for each in user.simulation.tasks() if each["family"] == BUILD], "the build's task runs")
        user.says("cancel", "latest")
        said, _ = begun.communicate(timeout=60)
    assert begun.returncode == DeploymentCancelledError.exit_code, said
    [task] = [each for each in user.simulation.tasks() if each["family"] == BUILD]
    assert (task["status"], task["reason"]) == ("STOPPED", "the deployment was cancelled")
    user.simulation.behaviours()
    assert "web: ✔ live" in user.says("up")


def test_of_two_at_once_one_works_and_the_other_is_told_who_does(user: User) -> None:
    user.simulation.behaviours({"match": "migrate"})
    with user.begins("up") as begun:
        until_said(begun, "migrate: ◐ starting")
        told = user.says("up", code=None)
        user.simulation.finish("migrate")
        said, _ = begun.communicate(timeout=120)
    assert begun.returncode == 0, said
    assert "is at work on this project since" in told
    assert "nothing to change" in user.says("up")


def test_credentials_that_expire_midway_and_a_cd_that_aws_stops(user: User) -> None:
    user.simulation.faults({"kind": "expired", "key": "ASIA.*", "after": 60})
    assert "credentials have expired" in user.says("up", code=None)
    user.simulation.faults()
    user.simulation.behaviours({"match": "migrate"})
    with user.begins("up") as begun:
        until_said(begun, "migrate: ◐ starting")
        [cd] = user.tasks("defang-cd")
        user.simulation.client("ecs").stop_task(cluster="defang", task=cd, reason="the host is retired")
        user.simulation.finish("migrate")
        said, _ = begun.communicate(timeout=120)
    assert begun.returncode == DeploymentFailedError.exit_code, said
    assert "run `up` again: it continues" in said
    user.simulation.behaviours()
    assert "web: ✔ live" in user.says("up")
    assert "nothing to change" in user.says("up")

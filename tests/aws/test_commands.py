"""What a deployment on AWS is looked at and operated with, by the command line: each command once, on one that runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from defang_nb.errors import UsageError
from tests.aws.handle import simulated, until
from tests.aws.user import SECRET, User, until_said

pytestmark = pytest.mark.e2e


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """With a deployment that is up."""
    with simulated(log=tmp_path / "aws.log") as simulation:
        simulation.behaviours(
            {"match": "migrate", "exit_code": 0, "lines": ["migrating", "all is migrated"]},
            {"match": "defang-build-prod", "exit_code": 0, "lines": ["INFO building", "built"]},
        )
        user = User(simulation, tmp_path)
        user.says("config", "set", f"PASSWORD={SECRET}")
        user.says("up")
        yield user
        user.says("down", "--yes")
        assert simulation.search(SECRET) == []
        assert simulation.problems() == []


def test_all_that_looks_at_it_and_changes_little(user: User) -> None:
    assert "web: ✔ live" in user.says("attach", "latest")
    assert "0 to add, 0 to change, 0 to delete" in user.says("preview")
    assert "123456789012" in user.says("whoami")
    assert json.loads(user.says("ps", "--json").splitlines()[0])["state"] == "running"
    _logs(user)
    _stats(user)
    assert "PASSWORD" in user.says("config", "ls")
    assert "up" in user.says("deployments")
    assert "shop" in user.says("dashboard")
    assert "run beside services on AWS yet" in user.says("exec", "--stack", "prod", "web", "sh", code=UsageError.exit_code)


def _stats(user: User) -> None:
    assert user.says("stats", "--no-stream", "--json") == "", "ECS tells nothing in the first minute"
    assert "web" not in user.says("stats", "--no-stream")
    dimensions = [{"Name": "ClusterName", "Value": "defang"}, {"Name": "ServiceName", "Value": "defang-prod-shop-web"}]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Timestamp": time.time() - 60, "Value": 50.0}
        for name in ("CPUUtilization", "MemoryUtilization")
    ]
    user.simulation.client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=data)
    [web] = [json.loads(line) for line in user.says("stats", "--no-stream", "--json").splitlines()]
    assert (web["service"], web["cpu"], web["memory"]) == ("web", 0.125, 256 * 2**20)
    assert "web" in user.says("stats", "--no-stream")


def _logs(user: User) -> None:
    user.simulation.behaviours({"match": "migrate", "exit_code": 0, "lines": ["once more"]})
    assert "migrate.1 | all is migrated" in (said := user.says("logs", "migrate"))
    assert "migrate.1 | migrating" in said
    assert "migrating" not in user.says("logs", "--filter", "all is")
    assert "build of app | built" in (user.says("logs", "--type", "build"))
    assert "cd.1 | " in user.says("logs", "--type", "cd")
    with user.begins("tail", "migrate", "-p", "shop") as begun:
        until_said(begun, "all is migrated")


def test_all_that_operates_it(user: User) -> None:
    ecs = user.simulation.client("ecs")
    ecs.update_service(cluster="defang", service="defang-prod-shop-api", desiredCount=1)
    assert "replicas" in user.says("refresh")
    assert "1 updated" in user.says("up")
    before = set(user.tasks("defang-prod-shop-web"))
    assert "web" in user.says("restart", "web")
    until(lambda: before.isdisjoint(user.tasks("defang-prod-shop-web")), "its tasks are new")
    user.says("scale", "api=3")
    until(lambda: len(user.tasks("defang-prod-shop-api")) == 3, "three run")
    user.change('ANSWER: "1"', 'ANSWER: "2"')
    user.says("up")
    said = user.says("rollback", "--yes")
    assert "web: ✔ live" in said
    [live] = ecs.describe_services(cluster="defang", services=["defang-prod-shop-web"])["services"]
    task = ecs.describe_task_definition(taskDefinition=live["taskDefinition"])["taskDefinition"]
    environment = {each["name"]: each["value"] for each in task["containerDefinitions"][0]["environment"]}
    assert environment["ANSWER"] == "1"

"""An AWS that throttles, fails and loses replies: deployments come to the same end, and nothing is there twice or left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from defang_nb.model.events import Outcome
from defang_nb.providers.aws import account as accounts
from defang_nb.providers.aws.account import Account
from tests.aws.handle import Simulation
from tests.providers.aws.stage import APP, Stage


async def census(account: Account) -> dict[str, int]:
    """How many there are of each kind of thing that a project is made of."""
    asked: Mapping[str, tuple[str, str, str, Mapping[str, Any]]] = {
        "balancers": ("elbv2", "describe_load_balancers", "LoadBalancers", {}),
        "targets": ("elbv2", "describe_target_groups", "TargetGroups", {}),
        "namespaces": ("servicediscovery", "list_namespaces", "Namespaces", {}),
        "names": ("servicediscovery", "list_services", "Services", {}),
        "groups": (
            "ec2",
            "describe_security_groups",
            "SecurityGroups",
            {"Filters": [{"Name": "group-name", "Values": ["defang-*"]}]},
        ),
        "logs": ("logs", "describe_log_groups", "logGroups", {"logGroupNamePrefix": "/defang/"}),
        "roles": ("iam", "list_roles", "Roles", {"PathPrefix": "/defang/"}),
        "definitions": ("ecs", "list_task_definitions", "taskDefinitionArns", {"status": "ACTIVE"}),
        "services": ("ecs", "list_services", "serviceArns", {"cluster": "defang"}),
        "tasks": ("ecs", "list_tasks", "taskArns", {"cluster": "defang"}),
    }
    found = {}
    for name, (service, operation, key, arguments) in asked.items():
        there = (await account.call(service, operation, **arguments))[key]
        # One revision more of a task definition does no harm.
        found[name] = len({each.rpartition(":")[0] for each in there}) if name == "definitions" else len(there)
    return found


UP = {
    "balancers": 1, "targets": 1, "namespaces": 1, "names": 2, "groups": 1, "logs": 1, "roles": 3, "definitions": 3,
    "services": 2, "tasks": 3,
}  # fmt: skip


@pytest.mark.e2e
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kinds", [("throttle", "error", "unavailable"), ("lost",), ("throttle", "lost-error", "lost")])
async def test_a_bad_day_changes_nothing(
    stage: Stage, simulation: Simulation, kinds: tuple[str, ...], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_PAUSE", 0.01)
    faults = [{"kind": kind, "share": 0.2 / len(kinds)} for kind in kinds]
    simulation.faults(*faults, seed=seed)
    for _ in range(3):
        if (applied := await stage.up(APP)).outcome is Outcome.SUCCEEDED:
            break
    simulation.faults()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await census(stage.account) == UP
    simulation.faults(*faults, seed=seed + 100)
    for _ in range(3):
        if (applied := await stage.down()).outcome is Outcome.SUCCEEDED:
            break
    simulation.faults()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await census(stage.account) == dict.fromkeys(UP, 0)

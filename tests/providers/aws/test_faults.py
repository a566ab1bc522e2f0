"""An AWS that throttles, fails and loses replies: deployments come to the same end, and nothing is there twice or left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from defang_nb.model.events import Outcome
from defang_nb.model.resource import Resource
from defang_nb.providers.aws import again
from defang_nb.providers.aws.account import Account
from tests.aws.handle import Simulation
from tests.providers.aws.sites import uploaded, written
from tests.providers.aws.stage import APP, Stage
from tests.provision.fakecloud import Boundaries, Crash
from tests.provision.memory import MemoryStore


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


async def unfinished(account: Account) -> list[str]:
    """What was made, and lacks what only a further call gives it."""
    roles = (await account.call("iam", "list_roles", PathPrefix="/defang/"))["Roles"]
    policies = {each["RoleName"]: await account.call("iam", "list_role_policies", RoleName=each["RoleName"]) for each in roles}
    found = [name for name, said in policies.items() if not said["PolicyNames"]]
    for group in (await account.call("elbv2", "describe_target_groups"))["TargetGroups"]:
        said = await account.call("elbv2", "describe_target_group_attributes", TargetGroupArn=group["TargetGroupArn"])
        if {"Key": "deregistration_delay.timeout_seconds", "Value": "5"} not in said["Attributes"]:
            found.append(group["TargetGroupName"])
    for log in (await account.call("logs", "describe_log_groups", logGroupNamePrefix="/defang/"))["logGroups"]:
        found += [] if log.get("retentionInDays") else [log["logGroupName"]]
    groups = await account.call("ec2", "describe_security_groups", Filters=[{"Name": "group-name", "Values": ["defang-*"]}])
    return found + [each["GroupName"] for each in groups["SecurityGroups"] if not each["IpPermissions"]]


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
    monkeypatch.setattr(again, "_PAUSE", 0.01)
    faults = [{"kind": kind, "share": 0.2 / len(kinds)} for kind in kinds]
    simulation.faults(*faults, seed=seed)
    for _ in range(3):
        if (applied := await stage.up(APP)).outcome is Outcome.SUCCEEDED:
            break
    simulation.faults()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await census(stage.account) == UP
    assert await unfinished(stage.account) == []
    await stage.up(APP)
    assert stage.plan.mutations == ()
    simulation.faults(*faults, seed=seed + 100)
    for _ in range(3):
        if (applied := await stage.down()).outcome is Outcome.SUCCEEDED:
            break
    simulation.faults()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await census(stage.account) == dict.fromkeys(UP, 0)


@pytest.mark.e2e
async def test_what_no_record_knows_is_taken_over(stage: Stage, simulation: Simulation) -> None:
    """The bucket was deleted by hand, say."""
    await stage.up(APP)
    stage.store = MemoryStore()
    applied = await stage.up(APP)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await census(stage.account) == UP
    assert (await stage.down()).outcome is Outcome.SUCCEEDED
    assert await census(stage.account) == dict.fromkeys(UP, 0)


@pytest.mark.e2e
async def test_what_is_nobodys_is_removed(stage: Stage, simulation: Simulation) -> None:
    await stage.up(APP)
    stage.store = MemoryStore()
    applied = await stage.sweep()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert {name: count for name, count in (await census(stage.account)).items() if count} == {}


class Guarded:
    """cd's process, which dies at a boundary: before or after a write to the record, or a call that changes something."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage = stage
        self.boundaries = Boundaries()
        asked = Account.asked

        async def guarded(account: Account, service: str, operation: str, *rest: Any, **more: Any) -> Any:
            changing = not operation.startswith(("describe_", "list_", "get_"))
            if changing:
                self.boundaries.cross(f"before {service}.{operation}")
            answer = await asked(account, service, operation, *rest, **more)
            if changing:
                self.boundaries.cross(f"after {service}.{operation}")
            return answer

        monkeypatch.setattr(Account, "asked", guarded)

    async def dies(self, wanted: str | Sequence[Resource], at: int) -> bool:
        """Whether there was a boundary of that number. `wanted`: a project, or its resources."""
        self.boundaries = Boundaries(at)
        self.boundaries.guard(self.stage.store)
        try:
            await (self.stage.up(wanted) if isinstance(wanted, str) else self.stage.deploy(wanted))
        except Crash:
            return True
        finally:
            self.boundaries = Boundaries()
            self.boundaries.guard(self.stage.store)
        return False


@pytest.mark.e2e
@pytest.mark.parametrize("start", range(6))
async def test_killed_anywhere_the_next_one_goes_on(
    stage: Stage, simulation: Simulation, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coming up, changing and going; every sixth boundary of each."""
    guarded, changed = Guarded(stage, monkeypatch), APP.replace("/x", "/y").replace("replicas: 2", "replicas: 1")
    for text, expected in ((APP, UP), (changed, UP | {"tasks": 2}), ("", dict.fromkeys(UP, 0))):
        at = start
        while await guarded.dies(text, at):
            at += 6
        applied = await stage.up(text)
        assert applied.outcome is Outcome.SUCCEEDED, (at, applied.failed, simulation.problems())
        assert await census(stage.account) == expected, at
        assert await unfinished(stage.account) == []


STEPS = (
    "iam:PutRolePolicy", "ec2:AuthorizeSecurityGroupIngress", "logs:PutRetentionPolicy", "elbv2:ModifyTargetGroupAttributes",
    "elbv2:AddListenerCertificates", "s3:PutBucketTagging", "cloudfront:PublishFunction",
)  # fmt: skip
"""The later calls of creates that are several."""


async def test_a_create_that_was_half_done_does_not_pass_for_done(
    stage: Stage, simulation: Simulation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "_PAUSE", 0.01)
    await stage.account.call("route53", "create_hosted_zone", Name="example.org", CallerReference="1")
    text = "services:\n" + "".join(
        f"  {name}: {{image: nginx, ports: ['80'], domainname: {name}.example.org}}\n" for name in ("one", "two")
    )
    text += "  site: {x-defang-static-files: .}\n"
    desired = await uploaded(stage.account, stage.base, text, written(tmp_path / "site"))
    simulation.faults(*({"kind": "error", "calls": each, "times": 1} for each in STEPS))
    applied = await stage.deploy(desired)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    before = simulation.counts()
    simulation.faults()
    calls = {f"{service}:{operation}": count for (service, operation), count in before.calls.items()}
    # What failed was asked for again: of two of a kind there are three calls.
    alone = {"logs:PutRetentionPolicy", "s3:PutBucketTagging", "cloudfront:PublishFunction",
             "elbv2:AddListenerCertificates", "ec2:AuthorizeSecurityGroupIngress"}  # fmt: skip
    assert {each: calls[each] for each in STEPS} == {each: 2 if each in alone else 3 for each in STEPS}

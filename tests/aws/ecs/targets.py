"""The targets of load balancers follow the tasks of services: registered, checked, drained."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup, elbv2_backends

from tests.aws.ecs.task import Task

if TYPE_CHECKING:
    from tests.aws.ecs.world import World

UNHEALTHY_AFTER = 10.0
"""Paces that a target may be unhealthy, after its service's grace period, before its task is replaced."""


class Target(dict[str, Any]):
    """What moto keeps of a target (`Id`, `Port`), with its state."""

    state = "initial"
    reason = "Elb.RegistrationInProgress"
    description = "Target registration is in progress"
    task = ""
    due = 0.0
    bad_since = 0.0

    def become(self, state: str, reason: str | None = None, description: str | None = None) -> None:
        self.state, self.reason, self.description = state, reason or "", description or ""


class Targets:
    """Under the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        FakeTargetGroup.health_for = _health_for  # moto: targets are always healthy

    def step(self, tasks: list[Task], moment: float) -> None:
        for task in tasks:
            for given in _given(task):
                group = _group(task, given["targetGroupArn"])
                if group is not None and task.interface is not None:
                    self._follow(group, given, task, moment)

    def _follow(self, group: Any, given: dict[str, Any], task: Task, moment: float) -> None:
        address = task.interface.private_ip_address
        target = group.targets.get(address)
        if target is not None and target.task != task.id:
            return
        if target is None:
            if task.running:
                target = Target(Id=address, Port=given["containerPort"])
                target.task, target.due = task.id, moment + self._world.pace
                group.targets[address] = target
            return
        if not task.running:
            if target.state != "draining":
                target.become("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
                delay = float(group.attributes.get("deregistration_delay.timeout_seconds", 300))
                target.due = moment + min(delay, 2 * self._world.pace)
            elif moment >= target.due:
                group.targets.pop(address)
            return
        if moment >= target.due:
            self._check(group, target, task, moment)

    def _check(self, group: Any, target: Target, task: Task, moment: float) -> None:
        run = self._world.runs.get(task.id)
        good = run is not None and run.probe(int(target["Port"]))
        target.due = moment + self._world.pace
        if good:
            target.become("healthy")
            target.bad_since = 0.0
        else:
            target.become("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
            target.bad_since = target.bad_since or moment

    def healthy(self, task: Task) -> bool:
        """Whether every load balancer of the task's service finds it so."""
        return all(each is not None and each.state == "healthy" for each in self._of(task))

    def unhealthy(self, task: Task, moment: float) -> str:
        """The target group that gave the task up; "" when none did."""
        grace = float(task.given.get("healthCheckGracePeriodSeconds") or 0)
        if task.started_at is None or time.time() - task.started_at.timestamp() < grace:
            return ""
        for given, target in zip(_given(task), self._of(task), strict=True):
            if target is not None and target.bad_since and moment - target.bad_since > UNHEALTHY_AFTER * self._world.pace:
                return str(given["targetGroupArn"])
        return ""

    def _of(self, task: Task) -> list[Target | None]:
        found: list[Target | None] = []
        for given in _given(task):
            group = _group(task, given["targetGroupArn"])
            target = group.targets.get(task.interface.private_ip_address) if group is not None and task.interface else None
            found.append(target if target is not None and target.task == task.id else None)
        return found


def _given(task: Task) -> list[dict[str, Any]]:
    return [each for each in task.given.get("loadBalancers") or () if "targetGroupArn" in each]


def _group(task: Task, arn: str) -> Any:
    return elbv2_backends[task.account][task.region].target_groups.get(arn)


def _health_for(group: Any, target: dict[str, Any], ec2: object) -> FakeHealthStatus:
    found = group.targets.get(target["Id"])
    port = target.get("Port") or group.port
    if found is None:
        return FakeHealthStatus(
            target["Id"],
            port,
            group.health_check_port,
            "unused",
            "Target.NotRegistered",
            "Target is not registered to the target group",
        )
    if not isinstance(found, Target):  # registered by a call, and no task's
        return FakeHealthStatus(found["Id"], found["Port"], group.health_check_port, "healthy")
    return FakeHealthStatus(
        found["Id"], found["Port"], group.health_check_port, found.state, found.reason or None, found.description or None
    )

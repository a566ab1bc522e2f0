"""The targets of load balancers follow the tasks of services: registered, checked, drained."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup, elbv2_backends

from tests.aws.ecs.task import Task
from tests.aws.runners.base import Run

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
    checking: Future[bool] | None = None

    def become(self, state: str, reason: str | None = None, description: str | None = None) -> None:
        self.state, self.reason, self.description = state, reason or "", description or ""


class Targets:
    """Under the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._checks = ThreadPoolExecutor(4, thread_name_prefix="checks")
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
        if run is None:
            return
        good = run.probe(int(target["Port"]))
        if good is None:
            good = self._asked(group, target, run)
        target.due = moment + self._world.pace
        if good is None:
            return
        if good:
            target.become("healthy")
            target.bad_since = 0.0
        elif target.state != "initial" or target.bad_since:
            target.become("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
        target.bad_since = 0.0 if good else target.bad_since or moment

    def _asked(self, group: Any, target: Target, run: Run) -> bool | None:
        """What the last real check said; the next one is begun. None: the first is under way."""
        if target.checking is not None and not target.checking.done():
            return None
        last = target.checking.result() if target.checking is not None else None
        target.checking = self._checks.submit(_check, run.address(int(target["Port"])), group)
        return last

    def registered(self, task: Task) -> bool:
        """Whether a load balancer still has it, be it to drain."""
        return any(each is not None for each in self._of(task))

    def healthy(self, task: Task) -> bool:
        """Whether every load balancer of the task's service finds it so."""
        return all(each is not None and each.state == "healthy" for each in self._of(task))

    def unhealthy(self, task: Task, moment: float) -> str:
        """The target group that gave the task up; "" when none did."""
        grace = float(task.given.get("healthCheckGracePeriodSeconds") or 0)
        if task.started_at is None or time.time() - task.started_at.timestamp() < grace:
            return ""
        for given, target in zip(_given(task), self._of(task), strict=True):
            group = _group(task, given["targetGroupArn"])
            patience = UNHEALTHY_AFTER * self._world.pace
            if target is not None and target.checking is not None:  # a real one takes its time
                patience = float(group.unhealthy_threshold_count) * float(group.health_check_interval_seconds)
            if target is not None and target.bad_since and moment - target.bad_since > patience:
                return str(given["targetGroupArn"])
        return ""

    def _of(self, task: Task) -> list[Target | None]:
        found: list[Target | None] = []
        for given in _given(task):
            group = _group(task, given["targetGroupArn"])
            target = group.targets.get(task.interface.private_ip_address) if group is not None and task.interface else None
            found.append(target if target is not None and target.task == task.id else None)
        return found


def _check(place: tuple[str, int] | None, group: Any) -> bool:
    """One request, as a load balancer's health check makes it."""
    if place is None:
        return False
    path = group.health_check_path or "/"
    port = place[1] if group.health_check_port in (None, "traffic-port") else int(group.health_check_port)
    connection = http.client.HTTPConnection(place[0], port, timeout=min(2.0, float(group.health_check_timeout_seconds)))
    try:
        connection.request("GET", path, headers={"User-Agent": "ELB-HealthChecker/2.0"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    wanted = str((getattr(group, "matcher", None) or {}).get("HttpCode") or "200")
    return any(int(low) <= status <= int(high or low) for low, _, high in (each.partition("-") for each in wanted.split(",")))


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

"""How a service moves: starts and stops tasks towards its count, rolls deployments over, counts failures, and rolls back.

Source: Amazon ECS developer guide, "Deploy Amazon ECS services by replacing tasks" and "How the deployment circuit breaker
detects failures" (threshold: half of the desired count, at least 3 and at most 200).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.aws.ecs.service import Deployment, Service
from tests.aws.ecs.task import Task

FIRST_PAUSE = 1.0
"""Paces (see `World.pace`) before a task that failed is started again; doubled with each failure, up to `LONGEST_PAUSE`."""
LONGEST_PAUSE = 16.0
_BY_US = "ServiceSchedulerInitiated"

Start = Callable[[Service, Deployment], Task]
Well = Callable[[Task], bool]


def step(service: Service, tasks: list[Task], start: Start, well: Well, moment: float) -> None:
    """One look at a service. `well`: whether a task is healthy, also for the load balancer."""
    if service.status == "DRAINING":
        for each in tasks:
            each.stop("Task stopped by service scheduler: the service was deleted", _BY_US)
        if all(each.last_status == "STOPPED" for each in tasks):
            service.status = "INACTIVE"
            service.deployments.clear()
        return
    if service.status != "ACTIVE":
        return
    primary = service.primary
    primary.desired = service.desired_count
    own = [each for each in tasks if each.deployment == primary.id and each.alive]
    others = [each for each in tasks if each.deployment != primary.id and each.alive]
    if any(well(each) for each in own):
        primary.failed = 0
    if _broken(service, primary):
        return
    _start(service, primary, own, others, start, moment)
    _stop(service, own, others, well)
    _settle(service, primary, tasks, well)


def failed(service: Service, task: Task, moment: float, pace: float) -> None:
    """A task of the service ended, and nobody asked it to."""
    for each in service.deployments:
        if each.id == task.deployment:
            each.failed += 1
            each.due = moment + pace * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (each.failed - 1))


def _start(service: Service, primary: Deployment, own: list[Task], others: list[Task], start: Start, moment: float) -> None:
    if primary.rollout == "FAILED" or moment < primary.due:
        return
    room = min(service.desired_count - len(own), service.most - len(own) - len(others))
    begun = [start(service, primary) for _ in range(max(0, room))]
    if begun:
        own += begun
        service.told = ""
        service.tell(f"has started {len(begun)} tasks: {' '.join(f'(task {each.id})' for each in begun)}.")


def _stop(service: Service, own: list[Task], others: list[Task], well: Well) -> None:
    surplus = own[service.desired_count :]
    ailing = [each for each in others if not well(each)]
    fit = [each for each in others if well(each)]
    spare = sum(well(each) for each in own) + len(fit) - service.least
    if service.primary.rollout == "FAILED":
        surplus = own
    stopping = surplus + (ailing if own or not service.desired_count else []) + fit[: max(0, spare)]
    for each in stopping:
        each.stop(f"Scaling activity initiated by (deployment {each.deployment})", _BY_US)
    if stopping:
        service.told = ""
        service.tell(f"has stopped {len(stopping)} running tasks: {' '.join(f'(task {each.id})' for each in stopping)}.")


def _settle(service: Service, primary: Deployment, tasks: list[Task], well: Well) -> None:
    alive = [each for each in tasks if each.last_status != "STOPPED"]
    own = [each for each in alive if each.deployment == primary.id]
    remaining = {each.deployment for each in alive}
    service.deployments = [each for each in service.deployments if each.status == "PRIMARY" or each.id in remaining]
    if len(own) != service.desired_count or not all(well(each) for each in own) or len(alive) != len(own):
        return
    if primary.rollout == "IN_PROGRESS":
        said = "" if not primary.rollback else f" {primary.reason}"
        primary.settle("COMPLETED", f"ECS deployment {primary.id} completed.{said}")
        service.tell(f"(deployment {primary.id}) deployment completed.")
    if primary.rollout == "COMPLETED":
        service.last_good = primary
        if service.told != primary.id:
            service.tell("has reached a steady state.")
            service.told = primary.id


def _broken(service: Service, primary: Deployment) -> bool:
    """Whether the circuit breaker opened just now."""
    breaker = service.configuration.get("deploymentCircuitBreaker") or {}
    threshold = min(200, max(3, math.ceil(service.desired_count / 2)))
    if not breaker.get("enable") or primary.rollout != "IN_PROGRESS" or primary.failed < threshold:
        return False
    primary.settle("FAILED", "ECS deployment circuit breaker: tasks failed to start.")
    service.tell(f"(deployment {primary.id}) deployment failed: tasks failed to start.")
    good = service.last_good
    if breaker.get("rollback") and good is not None and not primary.rollback:
        primary.desired = 0
        service.roll(
            {**service.given, **good.given, "desiredCount": service.desired_count},
            reason=f"ECS deployment circuit breaker: rolling back to deploymentId {good.id}.",
            rollback=True,
        )
        service.tell(f"rolling back to deployment {good.id}.")
    return True

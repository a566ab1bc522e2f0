"""A service, its deployments, and what DescribeServices tells of them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.aws.ecs.task import Task, now

ROLLING = (
    "taskDefinition",
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "capacityProviderStrategy",
    "launchType",
    "platformVersion",
    "volumeConfigurations",
)
"""What a change of makes a new deployment; other changes roll nothing."""
_PLAIN = (
    "loadBalancers",
    "serviceRegistries",
    "capacityProviderStrategy",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "propagateTags",
    "placementConstraints",
    "placementStrategy",
    "availabilityZoneRebalancing",
)
_EVENTS = 100


@dataclass
class Deployment:
    """`given`: the service's parameters that it rolls out."""

    given: dict[str, Any]
    desired: int
    id: str = field(default_factory=lambda: f"ecs-svc/{random.randrange(10**18, 10**19)}")
    status: str = "PRIMARY"
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0
    """Tasks that failed one after the other, with no well one between."""
    rollback: bool = False
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    due: float = 0.0
    """Not before this a task is started again, by the monotonic clock."""

    def __post_init__(self) -> None:
        self.reason = self.reason or f"ECS deployment {self.id} in progress."

    def settle(self, rollout: str, reason: str) -> None:
        self.rollout, self.reason, self.updated_at = rollout, reason, now()


@dataclass
class Service:
    """`given`: its parameters, as CreateService and UpdateService left them. Lives in moto's table of services."""

    region: str
    account: str
    cluster_name: str
    cluster_arn: str
    name: str
    given: dict[str, Any]
    status: str = "ACTIVE"
    tags: list[dict[str, str]] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    created_at: datetime = field(default_factory=now)
    last_good: Deployment | None = None
    """The last deployment that was completed: what a rollback goes back to."""
    told: str = ""
    """The deployment that was last told to be steady."""
    pending: int = 0
    running: int = 0

    @property
    def arn(self) -> str:
        return f"arn:aws:ecs:{self.region}:{self.account}:service/{self.cluster_name}/{self.name}"

    physical_resource_id = arn

    @property
    def desired_count(self) -> int:
        return int(self.given.get("desiredCount") or 0)

    @property
    def task_definition(self) -> str:
        return str(self.given["taskDefinition"])

    @property
    def primary(self) -> Deployment:
        return next(each for each in self.deployments if each.status == "PRIMARY")

    @property
    def configuration(self) -> dict[str, Any]:
        return {"maximumPercent": 200, "minimumHealthyPercent": 100} | (self.given.get("deploymentConfiguration") or {})

    @property
    def most(self) -> int:
        """Tasks that may be there at once."""
        return math.floor(self.desired_count * self.configuration["maximumPercent"] / 100)

    @property
    def least(self) -> int:
        """Tasks that have to be well while one deployment takes over from another."""
        return math.ceil(self.desired_count * self.configuration["minimumHealthyPercent"] / 100)

    def tell(self, message: str) -> None:
        event = {"id": f"{random.randrange(16**12):012x}", "createdAt": now(), "message": f"(service {self.name}) {message}"}
        self.events = [event, *self.events][:_EVENTS]

    def roll(self, given: dict[str, Any], *, reason: str = "", rollback: bool = False) -> Deployment:
        """Begin a deployment; the one before it drains."""
        for each in self.deployments:
            each.status = "ACTIVE"
        self.given = given
        new = Deployment(given, self.desired_count, reason=reason, rollback=rollback)
        self.deployments.insert(0, new)
        return new

    def describe(self, tasks: list[Task], *, tags: bool = True) -> dict[str, Any]:
        """`tasks`: the service's own."""
        found = {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "status": self.status,
            "desiredCount": self.desired_count,
            "runningCount": sum(each.running for each in tasks),
            "pendingCount": sum(each.alive and not each.running for each in tasks),
            "taskDefinition": self.task_definition,
            "deploymentConfiguration": self.configuration,
            "deployments": [self._deployment(each, tasks) for each in self.deployments],
            "events": self.events,
            "createdAt": self.created_at,
            "launchType": None if self.given.get("capacityProviderStrategy") else "FARGATE",
            "platformVersion": "LATEST",
            "platformFamily": "Linux",
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "roleArn": f"arn:aws:iam::{self.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            "tags": self.tags if tags else None,
        }
        found |= {key: self.given.get(key) for key in _PLAIN}
        return {key: value for key, value in found.items() if value is not None}

    def _deployment(self, it: Deployment, tasks: list[Task]) -> dict[str, Any]:
        own = [each for each in tasks if each.deployment == it.id]
        found = {
            "id": it.id,
            "status": it.status,
            "taskDefinition": it.given["taskDefinition"],
            "desiredCount": it.desired,
            "runningCount": sum(each.running for each in own),
            "pendingCount": sum(each.alive and not each.running for each in own),
            "failedTasks": it.failed,
            "rolloutState": it.rollout,
            "rolloutStateReason": it.reason,
            "createdAt": it.created_at,
            "updatedAt": it.updated_at,
            "launchType": None if it.given.get("capacityProviderStrategy") else "FARGATE",
            "capacityProviderStrategy": it.given.get("capacityProviderStrategy"),
            "networkConfiguration": it.given.get("networkConfiguration"),
            "serviceConnectConfiguration": it.given.get("serviceConnectConfiguration"),
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
        }
        return {key: value for key, value in found.items() if value is not None}

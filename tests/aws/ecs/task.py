"""A task: what was asked for, where it is in its life, and what DescribeTasks tells of it.

Source of states and reasons: Amazon ECS developer guide, "Task lifecycle" and "Stopped tasks error codes".
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ALIVE = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Container:
    """One container of a task. `definition`: as registered, with the task's overrides."""

    definition: dict[str, Any]
    arn: str
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    health: str = "UNKNOWN"

    @property
    def name(self) -> str:
        return str(self.definition["name"])


@dataclass
class Task:
    """`definition` is moto's task definition; `interface` moto's network interface. Times are of the wall clock."""

    region: str
    account: str
    cluster_name: str
    cluster_arn: str
    definition: Any
    group: str
    given: dict[str, Any]
    """The parameters of RunTask, or those that a service gives."""
    service: str = ""
    deployment: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stopped_reason: str = ""
    stop_code: str = ""
    containers: list[Container] = field(default_factory=list)
    interface: Any = None
    created_at: datetime = field(default_factory=now)
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    due: float = 0.0
    """When the next change of state may come, by the monotonic clock."""
    running_since: float = 0.0
    """By the monotonic clock."""

    def __post_init__(self) -> None:
        overrides = {each["name"]: each for each in self.given.get("overrides", {}).get("containerOverrides", ())}
        for definition in self.definition.container_definitions:
            merged = _overridden(definition, overrides.get(definition["name"], {}))
            arn = f"arn:aws:ecs:{self.region}:{self.account}:container/{self.cluster_name}/{self.id}/{uuid.uuid4()}"
            self.containers.append(Container(merged, arn))

    @property
    def task_arn(self) -> str:
        return f"arn:aws:ecs:{self.region}:{self.account}:task/{self.cluster_name}/{self.id}"

    @property
    def task_definition_arn(self) -> str:
        return str(self.definition.arn)

    @property
    def role(self) -> str:
        return str(self.given.get("overrides", {}).get("taskRoleArn") or getattr(self.definition, "task_role_arn", None) or "")

    @property
    def execution_role(self) -> str:
        overrides = self.given.get("overrides", {})
        return str(overrides.get("executionRoleArn") or getattr(self.definition, "execution_role_arn", None) or "")

    @property
    def alive(self) -> bool:
        return self.desired_status == "RUNNING" and self.last_status in ALIVE

    @property
    def running(self) -> bool:
        return self.desired_status == "RUNNING" and self.last_status == "RUNNING"

    @property
    def health(self) -> str:
        """Of the essential containers that have a health check, the worst."""
        checked = [each.health for each in self.containers if each.definition.get("healthCheck")]
        for state in ("UNHEALTHY", "UNKNOWN"):
            if state in checked:
                return state
        return "HEALTHY" if checked else "UNKNOWN"

    @property
    def well(self) -> bool:
        """Running, and healthy where a health check says so."""
        return self.running and (
            self.health == "HEALTHY" or not any(each.definition.get("healthCheck") for each in self.containers)
        )

    def stop(self, reason: str, code: str) -> None:
        if self.desired_status != "STOPPED":
            self.desired_status, self.stopped_reason, self.stop_code = "STOPPED", reason, code
            self.stopping_at, self.due = now(), 0.0

    def describe(self, *, tags: bool = True) -> dict[str, Any]:
        definition = self.definition
        found = {
            "taskArn": self.task_arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.task_definition_arn,
            "group": self.group,
            "startedBy": self.given.get("startedBy") or self.deployment or None,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "healthStatus": self.health,
            "connectivity": "CONNECTED" if self.last_status == "RUNNING" else None,
            "cpu": self.given.get("overrides", {}).get("cpu") or definition.cpu,
            "memory": self.given.get("overrides", {}).get("memory") or definition.memory,
            "launchType": "FARGATE",
            "capacityProviderName": self.capacity_provider,
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "overrides": self.given.get("overrides") or {"containerOverrides": []},
            "attachments": [self._attachment()] if self.interface is not None else [],
            "availabilityZone": self.interface.subnet.availability_zone if self.interface is not None else None,
            "containers": [self._container(each) for each in self.containers],
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "stoppedAt": self.stopped_at,
            "stoppedReason": self.stopped_reason or None,
            "stopCode": self.stop_code or None,
            "version": 1,
            "tags": self.tags if tags else None,
        }
        return {key: value for key, value in found.items() if value is not None}

    @property
    def capacity_provider(self) -> str | None:
        strategy = self.given.get("capacityProviderStrategy")
        return strategy[0]["capacityProvider"] if strategy else None

    def _attachment(self) -> dict[str, Any]:
        details = {
            "subnetId": self.interface.subnet.id,
            "networkInterfaceId": self.interface.id,
            "macAddress": self.interface.mac_address,
            "privateDnsName": f"ip-{self.interface.private_ip_address.replace('.', '-')}.{self.region}.compute.internal",
            "privateIPv4Address": self.interface.private_ip_address,
        }
        return {
            "id": self.id,
            "type": "ElasticNetworkInterface",
            "status": {"PROVISIONING": "ATTACHING", "STOPPED": "DELETED"}.get(self.last_status, "ATTACHED"),
            "details": [{"name": key, "value": value} for key, value in details.items()],
        }

    def _container(self, it: Container) -> dict[str, Any]:
        found = {
            "containerArn": it.arn,
            "taskArn": self.task_arn,
            "name": it.name,
            "image": it.definition.get("image"),
            "runtimeId": f"{self.id}-{self.containers.index(it)}" if it.last_status != "PENDING" else None,
            "lastStatus": it.last_status,
            "exitCode": it.exit_code,
            "reason": it.reason or None,
            "healthStatus": it.health,
            "cpu": str(it.definition.get("cpu", 0)),
            "networkInterfaces": [],
        }
        return {key: value for key, value in found.items() if value is not None}


def _overridden(definition: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    merged = {**definition, **{key: value for key, value in override.items() if key in ("command", "cpu", "memory")}}
    if override.get("environment"):
        environment = {each["name"]: each for each in definition.get("environment") or ()}
        environment |= {each["name"]: each for each in override["environment"]}
        merged["environment"] = list(environment.values())
    return merged

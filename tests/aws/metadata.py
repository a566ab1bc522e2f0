"""What a task of Fargate is told about itself: its role's credentials, and its own names.

Source: Amazon ECS developer guide, "Task IAM role" and "Task metadata endpoint version 4".
"""

from __future__ import annotations

from typing import Any

from moto.sts.models import sts_backends

from tests.aws.ecs.task import Task
from tests.aws.ecs.world import World

HOURS = 6


def credentials(world: World, path: str) -> dict[str, str]:
    """Of the task's role, fresh each time. Raises `LookupError` for a task that is not there."""
    task = _task(world, path)
    with world.lock:
        made = sts_backends[task.account]["aws"].assume_role(task.region, task.id, task.role, "", HOURS * 3600, "")
    return {
        "RoleArn": task.role,
        "AccessKeyId": made.access_key_id,
        "SecretAccessKey": made.secret_access_key,
        "Token": made.session_token,
        "Expiration": made.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def metadata(world: World, path: str) -> dict[str, Any]:
    """Of the task (`<id>/task`), or of its first container (`<id>`)."""
    task = _task(world, path)
    container = {"Name": task.containers[0].name, "ContainerARN": task.containers[0].arn}
    whole = {
        "Cluster": task.cluster_arn,
        "TaskARN": task.task_arn,
        "Family": task.definition.family,
        "Revision": str(task.definition.revision),
        "LaunchType": "FARGATE",
        "AvailabilityZone": task.interface.subnet.availability_zone if task.interface is not None else "",
        "Containers": [container],
    }
    return whole if path.endswith("/task") else container


def _task(world: World, path: str) -> Task:
    known = {each.id: each for each in world.tasks()}
    return known[path.split("/")[0]]

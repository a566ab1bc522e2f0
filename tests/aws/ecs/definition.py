"""Task definitions, where moto takes what AWS refuses, or forgets what a template says.

Source of the sizes: Amazon ECS developer guide, "Task CPU and memory" for Fargate on Linux.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import pascal_to_camelcase
from moto.ecs.exceptions import EcsClientException
from moto.ecs.models import ecs_backends

SIZES = {
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}
"""CPU units → MB of memory."""
_FREE = ("Options", "DockerLabels", "DriverOpts", "Labels", "DriverOptions")
"""Maps whose keys are the user's own."""


def check_size(cpu: str | None, memory: str | None) -> None:
    """Raises ECS's ClientException for a pair that Fargate lacks."""
    if not cpu or not memory:
        raise EcsClientException("Fargate requires that 'cpu' and 'memory' be defined at the task level.")
    if int(memory) not in SIZES.get(int(cpu), ()):
        raise EcsClientException(
            "No Fargate configuration exists for given values: "
            f"{cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
        )


def from_template(
    _: Any, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **more: Any
) -> Any:
    """AWS::ECS::TaskDefinition."""
    given = {pascal_to_camelcase(key): _camel(value) for key, value in cloudformation_json["Properties"].items()}
    if "FARGATE" in given.get("requiresCompatibilities", ()):
        check_size(given.get("cpu"), given.get("memory"))
    names = {
        "volumes": "volumes",
        "networkMode": "network_mode",
        "tags": "tags",
        "requiresCompatibilities": "requires_compatibilities",
        "cpu": "cpu",
        "memory": "memory",
        "taskRoleArn": "task_role_arn",
        "executionRoleArn": "execution_role_arn",
        "runtimePlatform": "runtime_platform",
        "ephemeralStorage": "ephemeral_storage",
    }
    return ecs_backends[account_id][region_name].register_task_definition(
        family=given.get("family", resource_name),
        container_definitions=given.get("containerDefinitions", []),
        **{names[key]: value for key, value in given.items() if key in names},
    )


def updated(
    kind: Any,
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
) -> Any:
    """A changed one is a new revision; the one before it is deregistered."""
    made = from_template(kind, original_resource.family, cloudformation_json, account_id, region_name)
    original_resource.status = "INACTIVE"
    return made


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if isinstance(value, dict):
        return {pascal_to_camelcase(key): each if key in _FREE else _camel(each) for key, each in value.items()}
    return value

"""The port of what runs a task, and what every runner needs first: environment, secrets, images, logs."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from moto.ecr.models import ecr_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from tests.aws.ecs.task import Container, Task
from tests.aws.registry import Registry

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>\S+))?"
)


class StartError(Exception):
    """Why a task can't be started, in AWS's words."""


@dataclass
class Behaviour:
    """What a task whose family or image matches `match` does where it is not really run; a test says so beforehand.

    `exit_code`: after `after` seconds (None: it goes on). `start_failure`: it never starts, and AWS says this.
    """

    match: str
    exit_code: int | None = None
    after: float = 0.0
    health: str = "HEALTHY"
    lines: tuple[str, ...] = ()
    start_failure: str = ""
    patience: float = 0.0
    """Seconds that it takes to end when it is stopped."""


def fits(match: str, task: Task) -> bool:
    """Whether a regular expression is found in the task's family, or in an image or a command of it."""
    told = [task.definition.family]
    for each in task.containers:
        told += [
            str(each.definition["image"]),
            " ".join((*(each.definition.get("entryPoint") or ()), *(each.definition.get("command") or ()))),
        ]
    return any(re.search(match, each) for each in told)


@dataclass
class Run:
    """One run of one task. The scheduler reads what is here; a runner's own threads write it."""

    task: Task
    lock: threading.RLock
    """Of all that moto holds."""
    started: bool = False
    failure: str = ""
    ended: bool = False
    hasty: bool = False
    """Whether it is to end at once."""
    exits: dict[str, int] = field(default_factory=dict)
    health: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Begin; it may take its time elsewhere. Raises `StartError`."""
        raise NotImplementedError

    def look(self, moment: float) -> None:
        """Asked often while the task is there, by the scheduler's thread."""

    def stop(self) -> None:
        """Begin to end; `ended` says when it has."""
        raise NotImplementedError

    def address(self, port: int) -> tuple[str, int] | None:
        """Where something of this machine reaches the task's port; None: nothing listens."""
        return None

    def probe(self, port: int) -> bool | None:
        """What a load balancer's health check says where none can be made; None: make one."""
        return None

    def tell(self, container: Container, *lines: str) -> None:
        """Write into the container's log."""
        write_log(self.task, container, lines, self.lock)


def check_roles(task: Task) -> None:
    """Raises `StartError` for a role that is not there."""
    for arn in {task.role, task.execution_role} - {""}:
        roles = iam_backends[task.account]["aws"].roles.values()
        if not any(each.arn == arn for each in roles):
            raise StartError(
                f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role being "
                "passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this "
                "role."
            )


def check_image(task: Task, container: Container, registry: Registry) -> None:
    """Raises `StartError` for an image of the account's own registry that is not there."""
    image = str(container.definition["image"])
    match = _ECR.fullmatch(image)
    if match is None:
        return
    registry.sync(match["region"], match["name"])
    repository = ecr_backends[match["account"]][match["region"]].repositories.get(match["name"])
    images = repository.images if repository else []
    if not any(
        each.get_image_digest() == match["digest"] if match["digest"] else (match["tag"] or "latest") in each.image_tags
        for each in images
    ):
        raise StartError(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
            f"{image}: {image}: not found"
        )


def environment_of(task: Task, container: Container) -> dict[str, str]:
    """What the container sees: plain values, and its secrets' own. Raises `StartError` for one that is not there."""
    found = {each["name"]: each["value"] for each in container.definition.get("environment") or ()}
    return found | {each["name"]: _secret(task, each["valueFrom"]) for each in container.definition.get("secrets") or ()}


def _secret(task: Task, source: str) -> str:
    failure = (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to "
        "retrieve secret{} service call has been retried 1 time(s): {}"
    )
    if ":secretsmanager:" in source:
        parts = source.split(":")
        arn, key = ":".join(parts[:7]), parts[7] if len(parts) > 7 else ""
        secrets = secretsmanager_backends[task.account][task.region].secrets
        try:
            name = next(each for each in secrets if each == arn or secrets[each].arn.startswith(arn))
        except StopIteration:
            raise StartError(failure.format(" from asm:", f"ResourceNotFoundException: can't find the secret {arn}")) from None
        value = str(secrets[name].secret_string)
        return str(json.loads(value)[key]) if key else value
    name = source.partition(":parameter")[2] if source.startswith("arn:") else source
    parameters = ssm_backends[task.account][task.region]
    found = parameters.get_parameter(name) or parameters.get_parameter(name.removeprefix("/"))
    if found is None:
        raise StartError(failure.format("s from ssm:", f"invalid parameters: {name}"))
    return str(found.response_object(decrypt=True, region=task.region)["Value"])


def open_log(task: Task, container: Container) -> None:
    """Make the container's log stream. Raises `StartError` where its group is not there."""
    place = _stream(task, container)
    if place is None:
        return
    group, stream, options = place
    backend = logs_backends[task.account][options.get("awslogs-region", task.region)]
    if group not in backend.groups:
        if options.get("awslogs-create-group") != "true":
            raise StartError(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
                "to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."
            )
        backend.create_log_group(group, {}, kmsKeyId=None)
    backend.ensure_log_stream(group, stream)


def write_log(task: Task, container: Container, lines: tuple[str, ...], lock: threading.RLock) -> None:
    place = _stream(task, container)
    if place is None or not lines:
        return
    group, stream, options = place
    stamp = int(time.time() * 1000)
    events: list[dict[str, Any]] = [{"timestamp": stamp, "message": each} for each in lines]
    with lock:
        backend = logs_backends[task.account][options.get("awslogs-region", task.region)]
        if group in backend.groups:  # somebody may have deleted it since
            backend.ensure_log_stream(group, stream)
            backend.put_log_events(group, stream, events)


def _stream(task: Task, container: Container) -> tuple[str, str, dict[str, str]] | None:
    given = container.definition.get("logConfiguration") or {}
    options = given.get("options") or {}
    if given.get("logDriver") != "awslogs":
        return None
    return options["awslogs-group"], f"{options.get('awslogs-stream-prefix', 'ecs')}/{container.name}/{task.id}", options

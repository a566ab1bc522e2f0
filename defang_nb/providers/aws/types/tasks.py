"""`aws:ecs/TaskDefinition`: what a service's tasks are made from.

One can't be changed: each change is a new revision. Those before it stay, for going back; they go when the service goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.types.base import chunks, ignoring, is_ours
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import Made, Operation

_GONE = ("ClientException",)
_MANY = 10
"""So many revisions in one call that deletes them."""


class TaskDefinitionType(TaggedType):
    """Inputs: see `compile.tasks.inputs`. Outputs: `arn`, which has the revision in it."""

    name = kinds.TASK
    resource = "ecs:task-definition"
    idempotent = True
    """One revision more than is used does no harm."""

    async def create(self, operation: Operation) -> Made:
        urn = operation.resource.urn
        body = definition(operation.resource.inputs, container(urn), self.base.region)
        tags = self.pairs(urn, "key", "value")
        answer = await self.account.call("ecs", "register_task_definition", family=self.called(urn), **body, tags=tags)
        return _made(answer["taskDefinition"]["taskDefinitionArn"])

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        """The newest revision."""
        arns = await self._revisions(self.called(urn), newest=True)
        if not arns:
            return None
        asked = self.account.call("ecs", "describe_task_definition", taskDefinition=arns[0], include=["TAGS"])
        answer = await ignoring(_GONE, asked)
        return _made(arns[0]) if answer and is_ours(self.tags(urn), answer.get("tags", ()), "key", "value") else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """As they are recorded: they can't change, and ECS says when a service's is not there."""
        return {each.urn: each.outputs for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        """All revisions: first so that no task can be made from them, then for good."""
        family = self.called(recorded.urn)
        arns = dict.fromkeys(await self._revisions(family))
        for arn in arns:
            await ignoring(_GONE, self.account.call("ecs", "deregister_task_definition", taskDefinition=arn))
        arns |= dict.fromkeys(await self._revisions(family, status="INACTIVE"))
        for some in chunks(list(arns), _MANY):
            await self.account.call("ecs", "delete_task_definitions", taskDefinitions=list(some))

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn, outputs={"arn": arn})

    async def _revisions(self, family: str, *, status: str = "ACTIVE", newest: bool = False) -> list[str]:
        said: dict[str, Any] = {"familyPrefix": family, "status": status, "sort": "DESC"}
        if newest:
            answer = await self.account.call("ecs", "list_task_definitions", **said, maxResults=1)
            return list(answer["taskDefinitionArns"])
        pages = await self.account.pages("ecs", "list_task_definitions", **said)
        return [arn for page in pages for arn in page["taskDefinitionArns"]]


def container(urn: str) -> str:
    """The name of a service's container in its tasks."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in names.parts(urn)[1])


def definition(inputs: Mapping[str, Json], name: str, region: str) -> dict[str, Any]:
    """The body of `register_task_definition`, but for family and tags. Pure."""
    return {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(inputs["cpu"]),
        "memory": str(inputs["memory"]),
        "runtimePlatform": {"cpuArchitecture": inputs["architecture"], "operatingSystemFamily": "LINUX"},
        "executionRoleArn": inputs["execution_role"],
        "taskRoleArn": inputs["role"],
        "volumes": [
            *({"name": f"scratch-{number}"} for number, _ in enumerate(inputs.get("scratch") or ())),
            *({"name": f"volume-{number}", **_files(each)} for number, each in enumerate(inputs.get("volumes") or ())),
        ],
        "containerDefinitions": [_container(inputs, name, region)],
    }


def _container(inputs: Mapping[str, Json], name: str, region: str) -> dict[str, Any]:
    logs = {"awslogs-group": inputs["log_group"], "awslogs-region": region, "awslogs-stream-prefix": name}
    made: dict[str, Any] = {
        "name": name,
        "image": inputs["image"],
        "essential": True,
        "memory": inputs["memory"],
        "portMappings": [{"containerPort": each["target"], "protocol": each["protocol"]} for each in inputs.get("ports") or ()],
        "environment": names.pairs(inputs.get("environment") or {}, "name", "value"),
        "secrets": names.pairs(inputs.get("secrets") or {}, "name", "valueFrom"),
        "command": inputs.get("command"),
        "entryPoint": inputs.get("entrypoint"),
        "user": inputs.get("user"),
        "workingDirectory": inputs.get("working_dir"),
        "stopTimeout": inputs.get("stop_grace_period"),
        "readonlyRootFilesystem": inputs.get("read_only"),
        "pseudoTerminal": inputs.get("tty"),
        "interactive": inputs.get("stdin_open"),
        "dockerLabels": dict(inputs.get("labels") or {}),
        "linuxParameters": _linux(inputs),
        "healthCheck": _check(inputs.get("healthcheck")),
        "ulimits": _ulimits(inputs.get("nofile")),
        "systemControls": [{"namespace": key, "value": str(value)} for key, value in (inputs.get("sysctls") or {}).items()],
        "mountPoints": [
            {"sourceVolume": f"{kind}-{number}", "containerPath": each["target"], "readOnly": each["read_only"]}
            for kind, key in (("scratch", "scratch"), ("volume", "volumes"))
            for number, each in enumerate(inputs.get(key) or ())
        ],
        "logConfiguration": {"logDriver": "awslogs", "options": logs},
    }
    if made["entryPoint"] is not None and made["command"] is None:
        made["command"] = []  # an entrypoint of one's own takes the image's command away, as Docker's CLI does
    kept = ("command", "entryPoint")
    return {key: value for key, value in made.items() if value not in (None, "", [], {}) or (key in kept and value == [])}


def _files(volume: Mapping[str, Json]) -> dict[str, Any]:
    """Who may mount it is said by its network."""
    access = {"accessPointId": volume["access"], "iam": "DISABLED"}
    said = {"fileSystemId": volume["file_system"], "transitEncryption": "ENABLED", "authorizationConfig": access}
    return {"efsVolumeConfiguration": said}


def _linux(inputs: Mapping[str, Json]) -> dict[str, Any]:
    capabilities = {"add": list(inputs.get("cap_add") or ()), "drop": list(inputs.get("cap_drop") or ())}
    said = {
        # ECS Exec leaves processes behind in a container without an init of its own.
        "initProcessEnabled": True,
        "capabilities": {key: value for key, value in capabilities.items() if value},
        "tmpfs": [
            {"containerPath": each["target"], "size": each["size"], "mountOptions": list(each["options"])}
            for each in inputs.get("tmpfs") or ()
        ],
    }
    return {key: value for key, value in said.items() if value}


def _check(check: Mapping[str, Json] | None) -> dict[str, Any] | None:
    if not check:
        return None
    times = {"interval": check["interval"], "timeout": check["timeout"], "startPeriod": check["start_period"]}
    return {"command": list(check["test"]), "retries": check["retries"], **times}


def _ulimits(nofile: Sequence[int] | None) -> list[dict[str, Any]]:
    return [{"name": "nofile", "softLimit": nofile[0], "hardLimit": nofile[1]}] if nofile else []


def _made(arn: str) -> Made:
    return Made(id=arn, outputs={"arn": arn})


def stream(urn: str, task: str) -> str:
    """The log stream of a task (its ARN) of a service or job."""
    return f"{container(urn)}/{container(urn)}/{task.rpartition('/')[2]}"

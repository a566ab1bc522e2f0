"""One Kaniko task on Fargate: from its definition to its exit code, its log line by line.

It can be killed at any instant: a task that a dead cd left at work is known again by what it builds, and followed to its end.

Sources: Amazon ECS API reference, "RunTask" (`startedBy`, `clientToken`) and "Task lifecycle"; Fargate task sizes in
"Amazon ECS task definition parameters".
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.names import pairs, physical
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.provision.ports import TransientError

CONTAINER = "kaniko"
SIZES = ((1024, 4096), (2048, 8192), (4096, 16384), (8192, 32768))
"""CPU units and MiB of a task; a build that runs out of memory is tried again with the next."""
_STORAGE = 50
"""GiB of disk: the base image, the context and all layers are unpacked there."""
PACE = 1.0
"""Seconds between two looks at a task that writes; between two at a silent one more and more, up to `_SLOWEST` times that."""
_SLOWEST = 3.0
_ARCHITECTURES = {"arm64": "ARM64", "aarch64": "ARM64"}
_OUT_OF_MEMORY = "OutOfMemory"
_KILLED = 137


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `secrets`: a variable's name → the SSM parameter that holds its value. `mark` tells what is built.

    `log`: what the names of its log streams begin with. `role` is the ARN of what the build may do in the account: whatever its
    Dockerfile runs may do that too.
    """

    name: str
    log: str
    role: str
    mark: str
    token: str
    image: str
    command: Sequence[str]
    secrets: Mapping[str, str]
    platform: str
    tags: Mapping[str, str]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a task ended: the exit code (None: its container never ran), and AWS's word on it. `memory`: how many MiB it had."""

    code: int | None
    why: str = ""
    out_of_memory: bool = False
    memory: int = 0


class KanikoTask:
    """Runs builds. Its methods raise `ProviderError`, and `TransientError` for what is worth another try."""

    def __init__(self, account: Account, base: Base, pace: float = PACE) -> None:
        self._account = account
        self._base = base
        self._pace = pace

    async def run(self, wanted: Wanted, hear: Callable[[str], None], *, least: int = 0) -> Ended:
        """Run it to its end, in a larger task when memory did not suffice; stopped when this is cancelled.

        It has `least` MiB or more from the start, as far as there is a task of that size.
        """
        sizes = [each for each in SIZES if each[1] >= least] or SIZES[-1:]
        for number, size in enumerate(sizes):
            ended = await self._attempt(wanted, size, f"{wanted.token}-{size[1]}", hear)
            if not ended.out_of_memory or size == sizes[-1]:
                return msgspec.structs.replace(ended, memory=size[1])
            hear(f"{size[1] // 1024} GB of memory did not suffice; once more with {sizes[number + 1][1] // 1024} GB")
        raise AssertionError("the largest size ends the loop")

    async def _attempt(self, wanted: Wanted, size: tuple[int, int], token: str, hear: Callable[[str], None]) -> Ended:
        task = await self._running(wanted.mark)
        definition = ""
        try:
            if task:
                hear("a build that an earlier deployment began goes on")
            else:
                definition = await self._define(wanted, size)
                task = await self._start(definition, wanted, token)
            return await self._follow(task, wanted.log, hear)
        except asyncio.CancelledError:
            if task:
                await asyncio.shield(self.stop(task, "the deployment was cancelled"))
            raise
        finally:
            if definition:
                with contextlib.suppress(ProviderError):
                    await asyncio.shield(self._account.call("ecs", "deregister_task_definition", taskDefinition=definition))

    async def stop(self, task: str, why: str) -> None:
        with contextlib.suppress(ProviderError):
            await self._account.call("ecs", "stop_task", cluster=self._base.cluster, task=task, reason=why)

    async def _running(self, mark: str) -> str:
        """The task that is at this very work, or ""."""
        found = await self._account.call("ecs", "list_tasks", cluster=self._base.cluster, startedBy=mark)
        return str(next(iter(found["taskArns"]), ""))

    async def _define(self, wanted: Wanted, size: tuple[int, int]) -> str:
        cpu, memory = size
        answer = await self._account.call(
            "ecs",
            "register_task_definition",
            family=physical("defang-build", wanted.name),
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu=str(cpu),
            memory=str(memory),
            ephemeralStorage={"sizeInGiB": _STORAGE},
            runtimePlatform={"operatingSystemFamily": "LINUX", "cpuArchitecture": architecture(wanted.platform)},
            executionRoleArn=self._base.execution_role,
            taskRoleArn=wanted.role,
            tags=pairs(wanted.tags, "key", "value"),
            containerDefinitions=[self._container(wanted)],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def _container(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "name": CONTAINER,
            "image": wanted.image,
            "essential": True,
            "entryPoint": ["/kaniko/executor"],
            "command": list(wanted.command),
            # The helper that logs in to ECR is a part of the executor; it reads the task role's credentials so.
            "environment": [
                {"name": "AWS_REGION", "value": self._base.region},
                {"name": "AWS_SDK_LOAD_CONFIG", "value": "true"},
            ],
            "secrets": [{"name": name, "valueFrom": place} for name, place in sorted(wanted.secrets.items())],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self._base.log_group,
                    "awslogs-region": self._base.region,
                    "awslogs-stream-prefix": wanted.log,
                },
            },
        }

    async def _start(self, definition: str, wanted: Wanted, token: str) -> str:
        answer = await self._account.call(
            "ecs",
            "run_task",
            cluster=self._base.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            startedBy=wanted.mark,
            clientToken=hashlib.sha256(token.encode()).hexdigest(),
            tags=pairs(wanted.tags, "key", "value"),
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(self._base.subnets),
                    "securityGroups": [self._base.services_group],
                    "assignPublicIp": "ENABLED",
                }
            },
        )
        if failures := answer.get("failures"):
            raise TransientError(f"AWS starts no task for the build: {failures[0].get('reason', '')}", after=2.0, refused=True)
        return str(answer["tasks"][0]["taskArn"])

    async def _follow(self, task: str, prefix: str, hear: Callable[[str], None]) -> Ended:
        log, pause, state = _Log(self._account, self._base.log_group, prefix, task), self._pace, ""
        while True:
            found = await self._account.call("ecs", "describe_tasks", cluster=self._base.cluster, tasks=[task])
            if not found["tasks"]:
                raise TransientError("the build's task has gone", after=1.0)
            now = found["tasks"][0]
            if now["lastStatus"] != state and now["lastStatus"] in _WORDS:
                hear(_WORDS[now["lastStatus"]])
            state = now["lastStatus"]
            heard = await log.read(hear)
            if state == "STOPPED":
                break
            pause = self._pace if heard else min(pause * 1.3, self._pace * _SLOWEST)
            await asyncio.sleep(pause)
        # CloudWatch shows the last lines a little later.
        for _ in range(3):
            await asyncio.sleep(self._pace)
            if not await log.read(hear):
                break
        return _ended(now)


_WORDS = {"PROVISIONING": "waiting for a machine", "PENDING": "fetching the builder"}


class _Log:
    """One task's lines, each once."""

    def __init__(self, account: Account, group: str, prefix: str, task: str) -> None:
        self._account = account
        self._where = {"logGroupName": group, "logStreamName": f"{prefix}/{CONTAINER}/{task.rpartition('/')[2]}"}
        self._next: dict[str, str] = {}

    async def read(self, hear: Callable[[str], None]) -> int:
        """Tell what is new; how many lines that were."""
        count = 0
        while True:
            try:
                page = await self._account.call("logs", "get_log_events", **self._where, startFromHead=True, **self._next)
            except AwsError as error:
                if error.code == "ResourceNotFoundException":
                    return count  # nothing was written yet
                raise
            for each in page["events"]:
                hear(each["message"].rstrip("\n"))
            count += len(page["events"])
            token = page["nextForwardToken"]
            if not page["events"] or self._next.get("nextToken") == token:
                self._next = {"nextToken": token}
                return count
            self._next = {"nextToken": token}


def architecture(platform: str) -> str:
    """AWS's word for the processor of `linux/arm64/v8` and its like."""
    return _ARCHITECTURES.get([*platform.split("/"), ""][1], "X86_64")


def _ended(task: Mapping[str, Any]) -> Ended:
    container: Mapping[str, Any] = next((each for each in task.get("containers", ()) if each.get("name") == CONTAINER), {})
    code, reason = container.get("exitCode"), container.get("reason", "")
    why = reason or task.get("stoppedReason", "")
    return Ended(code=code, why=why, out_of_memory=_OUT_OF_MEMORY in why or (code == _KILLED and "memory" in why.lower()))

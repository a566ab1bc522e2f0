"""Starts, finds and ends the cd task of a stack. One at a time serves it: who loses a race to start it takes the winner's."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from defang_nb.errors import CdError, DefangError, ProviderError
from defang_nb.model.stack import Stack
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.template import CD_PORT
from defang_nb.providers.aws.launch.door import open_door
from defang_nb.providers.aws.launch.record import LAUNCH_VARIABLE, Launch, Launches
from defang_nb.providers.aws.names import MANAGED_BY, MANAGER, STACK, cd_logs, pairs
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.base import CdAddress
from defang_nb.providers.keys import make_keys
from defang_nb.provision.owner import this_person
from defang_nb.provision.ports import ConflictError, TransientError
from defang_nb.version import __version__

IDLE = 300.0
"""Seconds after which an idle cd ends itself: a launch takes half a minute."""
CONTAINER = "cd"
_CPU, _MEMORY = 512, 1024
_FIRST, _LONGEST = 0.5, 3.0
_PATIENCE = 240.0
_UNREACHED = 20.0
"""Seconds after which a cd that runs and can't be connected to is spoken to through the store."""
TRANSPORT = "DEFANG_CD_TRANSPORT"
"""`store`: never try to connect to it."""
_ALIVE = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING")
_LAST_LINES = 8


class Launcher:
    """The cd of one stack in the user's account. Methods raise `CdError` and `ProviderError`."""

    def __init__(
        self, account: Account, base: Base, stack: Stack, launches: Launches, image: Callable[[], Awaitable[str]]
    ) -> None:
        """`image` gives the reference of cd's image, and builds it when it is not there."""
        self._account = account
        self._base = base
        self._stack = stack
        self._launches = launches
        self._image = image
        self._known: tuple[str, CdAddress] | None = None

    async def find(self) -> CdAddress | None:
        launch, _ = await self._launches.latest()
        if launch is None or not launch.task:
            return None
        task = await self._task(launch.task)
        if task is None or task["lastStatus"] != "RUNNING":
            return None
        return await self._address(launch, task)

    async def launch(self) -> CdAddress:
        while True:
            launch, version = await self._launches.latest()
            if launch is not None and await self._is_coming(launch):
                if address := await self._arrival(launch):
                    return address
                continue  # who claimed to start it did not
            image = await self._image()
            mine = Launch(id=secrets.token_hex(8), by=this_person(), began=time.time(), version=__version__)
            with contextlib.suppress(ConflictError):
                version = await self._launches.claim(mine, version)
                try:
                    if launch is not None:
                        await self._launches.drop(launch.id)  # a cd that was killed did not do so itself
                    task = await self._run(mine, image)
                except BaseException:
                    with contextlib.suppress(DefangError):  # others need not wait for what does not come
                        await asyncio.shield(self._launches.forget(mine.id))
                    raise
                mine = msgspec.structs.replace(mine, task=task)
                await self._launches.claim(mine, version)
                if address := await self._arrival(mine):
                    return address

    async def stop(self) -> None:
        """End it in good order, and wait until it is gone."""
        launch, _ = await self._launches.latest()
        if launch is None or not launch.task:
            return
        with contextlib.suppress(AwsError):
            await self._account.call("ecs", "stop_task", cluster=self._base.cluster, task=launch.task, reason="asked to end")
        pause = _FIRST
        while (task := await self._task(launch.task)) is not None and task["lastStatus"] != "STOPPED":
            await asyncio.sleep(pause)
            pause = min(_LONGEST, pause * 1.5)
        # It does so itself, unless it was killed.
        await self._launches.forget(launch.id)

    async def _is_coming(self, launch: Launch) -> bool:
        if not launch.task:
            return time.time() - launch.began < _PATIENCE / 4  # somebody has just claimed to start it
        task = await self._task(launch.task)
        return task is not None and task["lastStatus"] in _ALIVE and task["desiredStatus"] == "RUNNING"

    async def _arrival(self, launch: Launch) -> CdAddress | None:
        """Wait until it listens; None when nobody started it. Raises `CdError` with its last words when it never does."""
        began, pause, running = time.monotonic(), _FIRST, 0.0
        while True:
            latest, _ = await self._launches.latest()
            if not launch.task and (latest is None or (not latest.task and not await self._is_coming(latest))):
                return None
            launch = latest or launch
            task = await self._task(launch.task) if launch.task else None
            if task is not None and task["lastStatus"] == "STOPPED":
                raise await self._never_came(launch, task)
            if task is not None and task["lastStatus"] == "RUNNING":
                running = running or time.monotonic()
                address = await self._address(launch, task)
                if address is not None and (not address.target or await _listens(address.target)):
                    return address
                if address is not None and time.monotonic() - running > _UNREACHED:
                    # A network that lets nothing out, say: what is asked for goes through the store from now on.
                    self._known = launch.id, CdAddress(target="")
                    return self._known[1]
            if time.monotonic() - began > _PATIENCE:
                raise CdError(f"cd did not start within {_PATIENCE:g} s", hint=f"its task: {launch.task or 'none was started'}")
            await asyncio.sleep(pause)
            pause = min(_LONGEST, pause * 1.3)

    async def _run(self, launch: Launch, image: str) -> str:
        definition = await self._definition(image)
        await self._launches.give(launch.id, *make_keys())
        await open_door(self._account, self._base, self._stack.settings, self._stack.name)
        idle = self._stack.settings.get("DEFANG_CD_IDLE", f"{IDLE:g}")
        arguments = ["--stack", self._stack.name, "--idle", idle, "--transport", "aws"]
        environment = [{"name": LAUNCH_VARIABLE, "value": launch.id}, {"name": "AWS_REGION", "value": self._base.region}]
        override = {"name": CONTAINER, "command": [*_COMMAND, *arguments], "environment": environment}
        token = hashlib.sha256(launch.id.encode()).hexdigest()

        async def start() -> Mapping[str, Any]:
            answer: Mapping[str, Any] = await self._account.call(
                "ecs", "run_task", cluster=self._base.cluster, taskDefinition=definition, launchType="FARGATE",
                clientToken=token, startedBy=f"cd-{launch.id}", overrides={"containerOverrides": [override]},
                tags=pairs({MANAGED_BY: MANAGER, STACK: self._stack.name}, "key", "value"),
                networkConfiguration={
                    "awsvpcConfiguration": {
                        "subnets": list(self._base.subnets),
                        "securityGroups": [self._base.cd_group],
                        "assignPublicIp": "ENABLED",
                    }
                },
            )  # fmt: skip
            return answer

        for left in reversed(range(4)):
            try:
                answer = await start()
                if not answer.get("failures"):
                    return str(answer["tasks"][0]["taskArn"])
                trouble = f"AWS starts no task for cd: {answer['failures'][0].get('reason', '')}"
            except TransientError as error:
                trouble = error.message
            if left:
                await asyncio.sleep(1.0)
        raise CdError(trouble, hint="try again in a minute")

    async def _definition(self, image: str) -> str:
        """A revision of cd's task definition with this image and these roles, registered unless the latest one is."""
        wanted: dict[str, Any] = {
            "family": self._base.cd_task,
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": str(_CPU),
            "memory": str(_MEMORY),
            "executionRoleArn": self._base.execution_role,
            "taskRoleArn": self._base.cd_role,
            "containerDefinitions": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "essential": True,
                    "command": _COMMAND,
                    "stopTimeout": 60,
                    "portMappings": [{"containerPort": CD_PORT, "protocol": "tcp"}],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": self._base.log_group, "awslogs-region": self._base.region,
                            "awslogs-stream-prefix": cd_logs(self._stack.name),
                        },
                    },
                }
            ],
        }  # fmt: skip
        with contextlib.suppress(AwsError):
            found = await self._account.call("ecs", "describe_task_definition", taskDefinition=self._base.cd_task)
            latest = found["taskDefinition"]
            same = all(latest.get(key) == wanted[key] for key in ("taskRoleArn", "executionRoleArn", "cpu", "memory"))
            [its], [mine] = latest["containerDefinitions"], wanted["containerDefinitions"]
            same = same and all(its.get(key) == mine[key] for key in ("image", "logConfiguration"))
            if same and latest.get("status", "ACTIVE") == "ACTIVE":
                return str(latest["taskDefinitionArn"])
        answer = await self._account.call("ecs", "register_task_definition", **wanted)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    async def _task(self, arn: str) -> Mapping[str, Any] | None:
        found = await self._account.call("ecs", "describe_tasks", cluster=self._base.cluster, tasks=[arn])
        return found["tasks"][0] if found["tasks"] else None

    async def _address(self, launch: Launch, task: Mapping[str, Any]) -> CdAddress | None:
        """Its public address and this side's keys; None when it is on its way out."""
        if self._known and self._known[0] == launch.id:
            return self._known[1]
        if self._stack.settings.get(TRANSPORT) == "store":
            return CdAddress(target="")
        details = [each for attachment in task.get("attachments", ()) for each in attachment.get("details", ())]
        interface = next((each["value"] for each in details if each["name"] == "networkInterfaceId"), "")
        if not interface:
            return None
        found = await self._account.call("ec2", "describe_network_interfaces", NetworkInterfaceIds=[interface])
        address = found["NetworkInterfaces"][0].get("Association", {}).get("PublicIp", "")
        keys = await self._launches.take(launch.id, "client")
        if not address or keys is None:
            return None
        await open_door(self._account, self._base, self._stack.settings, self._stack.name)
        self._known = launch.id, CdAddress(target=f"{address}:{CD_PORT}", keys=keys)
        return self._known[1]

    async def _never_came(self, launch: Launch, task: Mapping[str, Any]) -> CdError:
        await self._launches.forget(launch.id)
        container: Mapping[str, Any] = next(iter(task.get("containers", ())), {})
        why = container.get("reason") or task.get("stoppedReason") or "AWS does not say why"
        code = container.get("exitCode")
        return CdError(
            f"cd ended at its start: {why}" + (f" (exit code {code})" if code else ""), hint=await self._last_words(launch.task)
        )

    async def _last_words(self, task: str) -> str:
        stream = f"{cd_logs(self._stack.name)}/{CONTAINER}/{task.rpartition('/')[2]}"
        with contextlib.suppress(ProviderError):
            page = await self._account.call(
                "logs", "get_log_events", logGroupName=self._base.log_group, logStreamName=stream, limit=_LAST_LINES
            )
            if lines := [each["message"] for each in page["events"]]:
                return "\n".join([f"from {self._base.log_group}/{stream}:", *lines])
        return f"it wrote nothing into {self._base.log_group}"


_COMMAND = ["python", "-m", "defang_nb.cd"]


async def _listens(target: str) -> bool:
    host, _, port = target.rpartition(":")
    try:
        async with asyncio.timeout(3):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True

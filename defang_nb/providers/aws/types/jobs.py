"""`aws:ecs/Job`: a one-off service, as a task that runs to its end. It runs again when anything about it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, DeploymentFailedError, ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.types import last
from defang_nb.providers.aws.types.base import AwsType, ignoring, is_ours
from defang_nb.providers.aws.types.services import describe_tasks, network
from defang_nb.provision.ports import Made, Operation, TransientError, Waiting

_GONE = ("InvalidParameterException", "ClusterNotFoundException")
_NO_ROOM = ("Capacity is unavailable", "RESOURCE:")
_MOST = 10
"""So many tasks in one call that runs them."""


class JobType(AwsType):
    """Inputs: see `compile`. Outputs: `tasks` (ARNs), and `detail` once they have ended."""

    name = kinds.JOB
    once = True

    async def create(self, operation: Operation) -> Made:
        """On capacity that AWS does not take back: what is interrupted half way may not be repeatable."""
        urn, inputs = operation.resource.urn, operation.resource.inputs
        tasks: list[str] = []
        wanted = int(inputs["replicas"])
        while len(tasks) < wanted:
            answer = await self.account.call(
                "ecs",
                "run_task",
                cluster=inputs["cluster"],
                taskDefinition=inputs["task"],
                count=min(_MOST, wanted - len(tasks)),
                clientToken=f"{operation.token[:32]}-{len(tasks)}",
                startedBy=self.called(urn, longest=36),
                group=self.called(urn),
                launchType="FARGATE",
                enableECSManagedTags=True,
                enableExecuteCommand=True,
                tags=self.pairs(urn, "key", "value"),
                **network(inputs),
            )
            for failure in answer.get("failures", ()):
                raise _refused(operation.resource.service, failure)
            if not answer["tasks"]:
                raise TransientError(
                    f"ECS started nothing for {operation.resource.service}, and does not say why", refused=True
                )
            tasks += [each["taskArn"] for each in answer["tasks"]]
        return Made(id=tasks[0] if tasks else self.called(urn), outputs={"tasks": tasks})

    async def update(self, operation: Operation) -> Made:
        """Run it again, as something about it is new; what still runs of it is stopped."""
        if operation.previous is not None and not operation.previous.ready:
            await self._stop(operation.previous.outputs.get("tasks") or ())
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        """The newest task that was started for it, of those that ECS still knows."""
        arns: list[str] = []
        for status in ("RUNNING", "STOPPED"):
            said = {"startedBy": self.called(urn, longest=36), "desiredStatus": status}
            answer = await self.account.call("ecs", "list_tasks", cluster=self.base.cluster, **said)
            arns += answer["taskArns"]
        tasks = [each for each in await self._describe(arns) if is_ours(self.tags(urn), each.get("tags", ()), "key", "value")]
        if not tasks:
            return None
        newest = max(tasks, key=lambda each: str(each.get("createdAt", "")))
        arn = newest["taskArn"]
        return Made(id=arn, outputs={"tasks": [arn]})

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """What has ended well is done, whatever ECS remembers of it."""
        return {each.urn: each.outputs for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        await self._stop(recorded.outputs.get("tasks") or () if not recorded.ready else ())

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        arns = [arn for each in waiting for arn in each.made.outputs["tasks"]]
        live = {each["taskArn"]: each for each in await self._describe(arns)}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            tasks = [live[arn] for arn in each.made.outputs["tasks"] if arn in live]
            if (result := await self._result(each, tasks)) is not None:
                found[each.operation.resource.urn] = result
        return found

    async def _result(self, waiting: Waiting, tasks: Sequence[Mapping[str, Any]]) -> Mapping[str, Json] | DefangError | None:
        """How it ended; None while it runs."""
        name, wanted = waiting.operation.resource.service, waiting.made.outputs["tasks"]
        for task in tasks:
            if task["lastStatus"] == "STOPPED" and _code(task) != 0:
                return await last.failure(self.account, self.stack, waiting.operation, task, f"{name} failed")
        if len(tasks) < len(wanted):
            return DeploymentFailedError(f"{name} was forgotten by ECS before its end was seen", hint="run it again: `up`")
        if all(task["lastStatus"] == "STOPPED" for task in tasks):
            return {**waiting.made.outputs, "detail": f"exited 0 in {max([_seconds(each) for each in tasks], default=0):.0f} s"}
        return None

    async def _describe(self, arns: Sequence[str]) -> list[Mapping[str, Any]]:
        return await describe_tasks(self.account, self.base.cluster, arns, tags=True)

    async def _stop(self, arns: Sequence[str]) -> None:
        for arn in arns:
            stopping = self.account.call("ecs", "stop_task", cluster=self.base.cluster, task=arn, reason="taken down")
            await ignoring(_GONE, stopping)


def _code(task: Mapping[str, Any]) -> int | None:
    """The exit code; None for a container that never ran."""
    codes = [each.get("exitCode") for each in task.get("containers", ())]
    return codes[0] if codes else None


def _seconds(task: Mapping[str, Any]) -> float:
    began, ended = task.get("startedAt") or task.get("createdAt"), task.get("executionStoppedAt") or task.get("stoppedAt")
    return float((ended - began).total_seconds()) if began and ended else 0.0


def _refused(service: str, failure: Mapping[str, Any]) -> DefangError:
    reason = failure.get("reason", "")
    message = f"ECS can't start {service}: {reason} {failure.get('detail', '')}".strip()
    if any(sign in reason for sign in _NO_ROOM):
        return TransientError(message, after=5.0, refused=True)
    return ProviderError(message)

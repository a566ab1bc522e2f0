"""What a task that went wrong leaves behind: why it stopped, and its last lines."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, DeploymentFailedError
from defang_nb.model.events import LogLine
from defang_nb.providers.aws import names
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types.base import chunks
from defang_nb.providers.aws.types.tasks import stream
from defang_nb.provision.ports import Operation

LINES = 20
_MASK = "***"
_SHORTEST = 4
"""Letters that a value has at least, that is hidden wherever it stands."""
_MANY = 10


async def failure(
    account: Account, stack: str, operation: Operation, task: Mapping[str, Any], said: str
) -> DeploymentFailedError:
    """The error of a service or job whose `task` (as ECS describes it) ended badly, after its last lines were told."""
    resource = operation.resource
    lines = await last_lines(account, stack, resource.urn, task)
    for line in lines:
        operation.emit(LogLine(service=resource.service, line=line))
    why = reason(task)
    shown = f"; its last line: {lines[-1]}" if lines else ""
    return DeploymentFailedError(
        f"{said}{f': {why}' if why else ''}{shown}", hint=hint(why) or f"`logs {resource.service}` shows what it wrote"
    )


def reason(task: Mapping[str, Any]) -> str:
    """In one line: what stopped it, and how its container ended."""
    container: Mapping[str, Any] = next(iter(task.get("containers", ())), {})
    code = container.get("exitCode")
    usual = "Essential container in task exited"
    stopped = "" if task.get("stoppedReason", "") == usual else task.get("stoppedReason", "")
    parts = [stopped, container.get("reason", ""), f"exited with code {code}" if code is not None else ""]
    return "; ".join(dict.fromkeys(part for part in parts if part))


def hint(why: str) -> str:
    """What to do about the usual reasons; "" for all others."""
    for sign, what in {
        "CannotPullContainer": "is the image's name right, is it there for this architecture, and may the account read it?",
        "health checks": "it runs, and its health check fails: see what the check asks; a longer `start_period` gives it time",
        "OutOfMemory": "give it more memory: deploy.resources.reservations.memory",
        "ResourceInitializationError": "what the task needs at its start (secrets, logs, images) can't be had: see the reason",
        "exec format error": "the image is for another architecture: say `platform: linux/arm64`, or build it for linux/amd64",
    }.items():
        if sign in why:
            return what
    return ""


async def last_lines(account: Account, stack: str, urn: str, task: Mapping[str, Any]) -> list[str]:
    """Of the task's log, with configuration values hidden; none, where there is no log."""
    group = names.log_group(stack, names.parts(urn)[0])
    with contextlib.suppress(DefangError):  # an error of its own would hide the one that this is about
        answer = await account.call(
            "logs",
            "get_log_events",
            logGroupName=group,
            logStreamName=stream(urn, task["taskArn"]),
            limit=LINES,
            startFromHead=False,
        )
        lines = [event["message"].rstrip("\n") for event in answer["events"]]
        return [] if not lines else _hidden(lines, await _secrets(account, task["taskDefinitionArn"]))
    return []


async def _secrets(account: Account, definition: str) -> Sequence[str]:
    """The values of the configuration that a task was given."""
    answer = await account.call("ecs", "describe_task_definition", taskDefinition=definition)
    containers = answer["taskDefinition"]["containerDefinitions"]
    wanted = sorted({each["valueFrom"] for container in containers for each in container.get("secrets", ())})
    return await values(account, wanted)


async def values(account: Account, parameters: Sequence[str]) -> Sequence[str]:
    """Of parameters, of which some may be gone."""
    found: list[str] = []
    for some in chunks(list(parameters), _MANY):
        answer = await account.call("ssm", "get_parameters", Names=list(some), WithDecryption=True)
        found += [each["Value"] for each in answer["Parameters"]]
    return found


def _hidden(lines: Sequence[str], secrets: Sequence[str]) -> list[str]:
    longest = sorted((each for each in secrets if len(each) >= _SHORTEST), key=len, reverse=True)
    hidden = list(lines)
    for secret in longest:
        hidden = [line.replace(secret, _MASK) for line in hidden]
    return hidden

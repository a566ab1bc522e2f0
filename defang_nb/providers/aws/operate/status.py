"""What runs now, as ECS sees it; and whether it answers."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Recorded
from defang_nb.model.status import ServiceStatus
from defang_nb.model.view import Endpoint
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types.base import chunks

_SERVICES, _TASKS = 10, 100
"""How many one call of ECS describes."""
_ANSWER = 3.0
"""Seconds that an endpoint has to answer in."""


async def status(account: Account, cluster: str, project: str, mains: Sequence[Recorded]) -> list[ServiceStatus]:
    """Of what is recorded as a project's services (`mains`), live. Three kinds of calls, however many services there are."""
    running = [each for each in mains if each.type == kinds.SERVICE]
    services = await _services(account, cluster, [each.id for each in running])
    tasks = await _tasks(account, cluster) if running else []
    asked = [each for each in mains if each.type in (kinds.SERVICE, kinds.SITE)]
    answers = dict(zip([each.urn for each in asked], await asyncio.gather(*(_answers(each) for each in asked)), strict=True))
    found = []
    for main in sorted(mains, key=lambda each: each.service):
        if main.type == kinds.SERVICE:
            mine = [each for each in tasks if each.get("group") == f"service:{main.id}"]
            found.append(_service(project, main, services.get(main.id), mine, answers[main.urn]))
        else:
            found.append(_other(project, main, answers.get(main.urn, "")))
    return found


def _service(
    project: str, main: Recorded, live: Mapping[str, Any] | None, tasks: Sequence[Mapping[str, Any]], answer: str
) -> ServiceStatus:
    endpoints = _endpoints(main)
    if live is None or live["status"] != "ACTIVE":
        return ServiceStatus(project=project, service=main.service, state="stopped", detail="removed from outside", wanted=0)
    wanted, running = int(live["desiredCount"]), int(live["runningCount"])
    now = [each for each in tasks if each["lastStatus"] == "RUNNING"]
    health = [each.get("healthStatus", "UNKNOWN") for each in now]
    known = [each for each in health if each != "UNKNOWN"]
    details = [answer] if answer else []
    return ServiceStatus(
        project=project,
        service=main.service,
        state=_word(live, wanted, running),
        detail=", ".join([*sorted({each.lower() for each in known} - {"healthy"}), *details]),
        running=running,
        wanted=wanted,
        healthy=all(each == "HEALTHY" for each in known) if known else None,
        started=min((each["startedAt"].timestamp() for each in now if "startedAt" in each), default=None),
        endpoints=tuple(endpoints),
    )


def _word(live: Mapping[str, Any], wanted: int, running: int) -> str:
    if wanted == 0:
        return "stopped"
    if running >= wanted:
        return "running"
    newest: Mapping[str, Any] = next((each for each in live.get("deployments", ()) if each["status"] == "PRIMARY"), {})
    return "crashed" if newest.get("failedTasks") or newest.get("rolloutState") == "FAILED" else "starting"


def _other(project: str, main: Recorded, answer: str) -> ServiceStatus:
    """One that has done its work, or a store or a site, which are as they are recorded."""
    done = main.type == kinds.JOB
    return ServiceStatus(
        project=project,
        service=main.service,
        state=("exited" if done else "running") if main.ready else "starting",
        detail=", ".join(each for each in (str(main.outputs.get("detail", "")), answer) if each),
        running=0 if done else 1,
        wanted=0 if done else 1,
        exit_code=0 if done and main.ready else None,
        endpoints=tuple(_endpoints(main)),
    )


def _endpoints(main: Recorded) -> list[Endpoint]:
    said = main.outputs.get("endpoints") or []
    return [Endpoint(url=each["url"], port=each.get("port", 0), public=bool(each.get("public"))) for each in said]


async def _services(account: Account, cluster: str, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    parts = [
        account.call("ecs", "describe_services", cluster=cluster, services=list(some)) for some in chunks(names, _SERVICES)
    ]
    return {each["serviceName"]: each for answer in await asyncio.gather(*parts) for each in answer["services"]}


async def _tasks(account: Account, cluster: str) -> list[Mapping[str, Any]]:
    pages = await account.pages("ecs", "list_tasks", cluster=cluster)
    arns = [arn for page in pages for arn in page["taskArns"]]
    parts = [account.call("ecs", "describe_tasks", cluster=cluster, tasks=list(some)) for some in chunks(arns, _TASKS)]
    return [each for answer in await asyncio.gather(*parts) for each in answer["tasks"]]


async def _answers(main: Recorded) -> str:
    """What the first public address of a service says; "" where there is none, or all is well."""
    url = next((each.url for each in _endpoints(main) if each.public and each.url.startswith("http")), "")
    return await asyncio.to_thread(_ask, url) if url else ""


def _ask(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER):  # noqa: S310 - an endpoint of ours, http or https
            return ""
    except urllib.error.HTTPError as error:
        return f"answers {error.code}" if error.code >= 500 else ""
    except (OSError, ValueError) as error:
        return f"no answer: {getattr(error, 'reason', error)}"

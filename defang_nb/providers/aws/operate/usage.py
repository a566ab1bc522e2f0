"""What services use, from CloudWatch: what ECS tells it of each service every minute, at no cost.

Source: Amazon ECS Developer Guide, "Amazon ECS service utilization metrics": CPUUtilization and MemoryUtilization are shares of
what a service's tasks reserve, the mean of all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from defang_nb.errors import NotFoundError
from defang_nb.model.resource import Recorded
from defang_nb.model.status import Usage
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types.base import chunks

_PACE = 15.0
"""Seconds between two looks: there is something new each minute."""
_BACK = 300.0
"""Seconds that the newest figure may be old."""
_MANY = 250
"""So many services in one call, of two figures each."""
_UNIT, _MEBI = 1024, 2**20
"""CPU units of a core, bytes of a MiB."""
_FIGURES = {"c": "CPUUtilization", "m": "MemoryUtilization"}


async def usage(
    account: Account, cluster: str, recorded: Sequence[Recorded], services: Sequence[str], pace: float = _PACE
) -> AsyncIterator[Sequence[Usage]]:
    """A sample each `pace` seconds: for each of `services` (none: all), the mean of its tasks. Raises `NotFoundError`."""
    running = {each.service: each for each in recorded if each.type == kinds.SERVICE}
    tasks = {each.service: each for each in recorded if each.type == kinds.TASK}
    if missing := [each for each in services if each not in running]:
        raise NotFoundError(f"no service {missing[0]} runs", hint=f"services: {', '.join(sorted(running)) or 'none'}")
    wanted = {name: each for name, each in running.items() if not services or name in services}
    while True:
        found = [each for some in chunks(list(wanted), _MANY) for each in await _sample(account, cluster, some, wanted, tasks)]
        yield sorted(found, key=lambda each: each.service)
        await asyncio.sleep(pace)


async def _sample(
    account: Account, cluster: str, some: Sequence[str], wanted: Mapping[str, Recorded], tasks: Mapping[str, Recorded]
) -> list[Usage]:
    now = time.time()
    queries = [
        _query(f"{letter}{number}", figure, cluster, wanted[name].id)
        for number, name in enumerate(some)
        for letter, figure in _FIGURES.items()
    ]
    begin, end = (datetime.fromtimestamp(each, UTC) for each in (now - _BACK, now))
    pages = await account.pages(
        "cloudwatch", "get_metric_data", MetricDataQueries=queries, StartTime=begin, EndTime=end, ScanBy="TimestampDescending"
    )
    told: dict[str, tuple[float, float]] = {}
    for each in (result for page in pages for result in page["MetricDataResults"]):
        if each["Values"]:
            told.setdefault(each["Id"], (each["Timestamps"][0].timestamp(), each["Values"][0]))
    found = []
    for number, name in enumerate(some):
        cpu, memory, task = told.get(f"c{number}"), told.get(f"m{number}"), tasks.get(name)
        if cpu and memory and task:
            limit = int(task.inputs["memory"]) * _MEBI
            cores = int(task.inputs["cpu"]) / _UNIT
            used = Usage(
                service=name, time=cpu[0], cpu=cpu[1] / 100 * cores, memory=round(memory[1] / 100 * limit), limit=limit
            )
            found.append(used)
    return found


def _query(id_: str, figure: str, cluster: str, service: str) -> dict[str, Any]:
    named = {"ClusterName": cluster.rpartition("/")[2], "ServiceName": service}
    metric = {
        "Namespace": "AWS/ECS",
        "MetricName": figure,
        "Dimensions": [{"Name": name, "Value": value} for name, value in named.items()],
    }
    return {"Id": id_, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}}

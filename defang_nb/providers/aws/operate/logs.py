"""A project's lines, from CloudWatch, in order of time.

Source: CloudWatch Logs API reference, "FilterLogEvents". A line may show some seconds after it was written, and later than
younger ones: while following, each look begins a little before the last one ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from defang_nb.model.status import LogQuery, LogRecord
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.refusals import AwsError

_PACE = 1.0
_BACK = 10.0
"""Seconds that a line may come too late."""
_DAY = 86400.0


async def read(account: Account, group: str, query: LogQuery, pace: float = _PACE) -> AsyncIterator[LogRecord]:
    """What is asked for; without `since`, of the last day. With `follow` until closed."""
    since = query.since if query.since is not None else time.time() - _DAY
    replicas = _Replicas()
    found = await _page(account, group, query, since, query.until)
    records = [replicas.record(each) for each in found]
    for record in records[-query.tail :] if query.tail is not None else records:
        if query.tail != 0:
            yield record
    if not query.follow:
        return
    seen = {each["eventId"]: each["timestamp"] for each in found}
    latest = max([since, *(each["timestamp"] / 1000 for each in found)])
    while True:
        await asyncio.sleep(pace)
        begin = max(since, latest - _BACK)
        for each in await _page(account, group, query, begin, None):
            if each["eventId"] not in seen:
                seen[each["eventId"]] = each["timestamp"]
                yield replicas.record(each)
                latest = max(latest, each["timestamp"] / 1000)
        seen = {key: moment for key, moment in seen.items() if moment / 1000 >= latest - 2 * _BACK}


class _Replicas:
    """Numbers a service's tasks as they are met."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {}

    def record(self, event: Mapping[str, Any]) -> LogRecord:
        service, _, task = event["logStreamName"].partition("/")
        mine = self._known.setdefault(service, {})
        number = mine.setdefault(task, len(mine) + 1)
        return LogRecord(service=service, time=event["timestamp"] / 1000, line=event["message"].rstrip("\n"), replica=number)


async def _page(account: Account, group: str, query: LogQuery, since: float, until: float | None) -> list[Mapping[str, Any]]:
    limits = {"startTime": int(since * 1000)} | ({"endTime": int(until * 1000)} if until is not None else {})
    prefixes = [{"logStreamNamePrefix": f"{each}/"} for each in query.services] or [{}]
    found: list[Mapping[str, Any]] = []
    for prefix in prefixes:
        try:
            pages = await account.pages("logs", "filter_log_events", logGroupName=group, **limits, **prefix)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                continue  # nothing was deployed, or nothing has written yet
            raise
        found += [each for page in pages for each in page["events"]]
    return sorted(found, key=lambda each: (each["timestamp"], each["logStreamName"]))

"""A project's lines, from CloudWatch, in order of time: of its services, of builds, and of cd.

Source: CloudWatch Logs API reference, "FilterLogEvents". A line may show some seconds after it was written, and later than
younger ones: while following, each look begins a little before the last one ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from defang_nb.model.resource import urn
from defang_nb.model.status import LogKind, LogQuery, LogRecord
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.types.tasks import container

_PACE = 1.0
_BACK = 10.0
"""Seconds that a line may come too late."""
_DAY = 86400.0


class Source(NamedTuple):
    """Streams of a log group: `head`, the name of who writes (`only` that one, where it is said), and the task's."""

    kind: LogKind
    group: str
    head: str
    only: str = ""
    service: str = ""
    """What the one who writes is called in the project, where that is known."""


def sources(stack: str, project: str, own_group: str, query: LogQuery) -> list[Source]:
    """Where the lines that are asked for are. `own_group` is that of cd and builds."""
    asked = query.services or ("",)
    found = []
    if LogKind.RUN in query.kinds:
        group = names.log_group(stack, project)
        called = {each: container(urn(project, kinds.TASK, each)) if each else "" for each in asked}
        found += [Source(LogKind.RUN, group, "", called[each], each) for each in asked]
    if LogKind.BUILD in query.kinds:
        found += [Source(LogKind.BUILD, own_group, names.build_logs(stack, project), each, each) for each in asked]
    if LogKind.CD in query.kinds:
        found.append(Source(LogKind.CD, own_group, f"{names.cd_logs(stack)}/"))
    return found


async def read(account: Account, where: Sequence[Source], query: LogQuery, pace: float = _PACE) -> AsyncIterator[LogRecord]:
    """What is asked for; without `since`, of the last day. With `follow` until closed, or until its end is past."""
    since = query.since if query.since is not None else time.time() - _DAY
    look = _Look(account, where, query)
    found = await look.between(since, query.until)
    for record in found[len(found) - min(query.tail, len(found)) :] if query.tail is not None else found:
        yield record
    while query.follow and (query.until is None or time.time() <= query.until):
        await asyncio.sleep(pace)
        for record in await look.between(max(since, look.latest - _BACK), query.until):
            yield record


class _Look:
    """Lines, each once; and a service's tasks numbered as they are met."""

    def __init__(self, account: Account, where: Sequence[Source], query: LogQuery) -> None:
        self._account = account
        self._where = where
        self._query = query
        self._seen: dict[str, float] = {}
        self._replicas: dict[tuple[LogKind, str], dict[str, int]] = {}
        self.latest = 0.0
        """Of the lines that were met, in epoch seconds."""

    async def between(self, since: float, until: float | None) -> list[LogRecord]:
        """What is new of that time, in order."""
        found: list[tuple[Source, Mapping[str, Any]]] = []
        for source in self._where:
            found += [(source, each) for each in await self._events(source, since, until)]
        fresh = [(source, each) for source, each in found if each["eventId"] not in self._seen]
        fresh.sort(key=lambda each: (each[1]["timestamp"], each[1]["logStreamName"]))
        self._seen |= {each["eventId"]: each["timestamp"] / 1000 for _, each in fresh}
        self.latest = max([self.latest or since, *self._seen.values()])
        self._seen = {key: moment for key, moment in self._seen.items() if moment >= self.latest - 2 * _BACK}
        records = [self._record(source, each) for source, each in fresh]
        return [each for each in records if self._query.wants(each)]

    async def _events(self, source: Source, since: float, until: float | None) -> list[Mapping[str, Any]]:
        said: dict[str, Any] = {"logGroupName": source.group, "startTime": int(since * 1000)}
        said |= {"endTime": int(until * 1000)} if until is not None else {}
        if prefix := source.head + (f"{source.only}/" if source.only else ""):
            said["logStreamNamePrefix"] = prefix
        try:
            pages = await self._account.pages("logs", "filter_log_events", **said)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return []  # nothing was deployed, or nothing has written yet
            raise
        return [each for page in pages for each in page["events"]]

    def _record(self, source: Source, event: Mapping[str, Any]) -> LogRecord:
        name, _, rest = event["logStreamName"].removeprefix(source.head).partition("/")
        tasks = self._replicas.setdefault((source.kind, name), {})
        return LogRecord(
            service=source.service or name,
            time=event["timestamp"] / 1000,
            line=event["message"].rstrip("\n"),
            replica=tasks.setdefault(rest, len(tasks) + 1),
            kind=source.kind,
        )

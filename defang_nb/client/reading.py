"""Reads what services wrote, straight from the provider: no cd is needed for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from defang_nb.client import loop
from defang_nb.client.control import statuses_of
from defang_nb.client.times import parse_time
from defang_nb.client.workspace import Workspace
from defang_nb.errors import UsageError
from defang_nb.model.status import LogKind, LogQuery, LogRecord

ALL = "all"


def read_logs(
    workspace: Workspace, project: str, services: tuple[str, ...], *, follow: bool, since: float | str | None,
    until: float | str | None, tail: int | None, kind: str = LogKind.RUN, containing: str = "",
) -> Iterator[LogRecord]:  # fmt: skip
    """Lines in order of time. Times are as `parse_time` takes them. Raises `UsageError` for one that it can't read.

    Raises `NotFoundError` for a service that nobody knows: what was removed may have written something, too.
    """
    query = LogQuery(
        services=services, since=parse_time(since), until=parse_time(until), tail=tail, follow=follow, kinds=_kinds(kind),
        containing=containing,
    )  # fmt: skip

    async def read() -> AsyncGenerator[LogRecord, None]:
        of_services = query.kinds == (LogKind.RUN,)  # builds go by the names of images
        if services and follow and of_services and await workspace.provider.status(project):
            await statuses_of(workspace, project, services)
        wrote = False
        async for record in workspace.provider.logs(project, query):
            wrote = True
            yield record
        if services and not wrote and of_services:
            await statuses_of(workspace, project, services)

    return loop.iterate(read())


def _kinds(kind: str) -> tuple[LogKind, ...]:
    known = {ALL: tuple(LogKind)} | {each.value: (each,) for each in LogKind}
    if kind not in known:
        raise UsageError(f"there are no logs of type {kind!r}", hint=f"types: {', '.join(known)}")
    return known[kind]

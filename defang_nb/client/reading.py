"""Reads what services wrote, straight from the provider: no cd is needed for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING

from defang_nb.client import loop
from defang_nb.client.times import parse_time
from defang_nb.client.workspace import Workspace

if TYPE_CHECKING:
    from defang_nb.model.status import LogRecord


def read_logs(
    workspace: Workspace, project: str, services: tuple[str, ...], *, follow: bool, since: float | str | None,
    until: float | str | None, tail: int | None,
) -> Iterator[LogRecord]:  # fmt: skip
    """Lines in order of time. Times are as `parse_time` takes them. Raises `UsageError` for one that it can't read."""
    from defang_nb.model.status import LogQuery

    query = LogQuery(services=services, since=parse_time(since), until=parse_time(until), tail=tail, follow=follow)

    async def read() -> AsyncGenerator[LogRecord, None]:
        async for record in workspace.provider.logs(project, query):
            yield record

    return loop.iterate(read())

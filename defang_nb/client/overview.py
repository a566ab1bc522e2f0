"""What all stacks have and do, read straight from them: no kernel, and no cd, need have been alive since."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from defang_nb.client import costs, loop
from defang_nb.client.place import workspace_of
from defang_nb.client.stacks import stack_names
from defang_nb.client.workspace import Workspace
from defang_nb.errors import DefangError
from defang_nb.model.events import Kind, Outcome
from defang_nb.model.overview import Overview, ProjectOverview, StackOverview, Unfinished
from defang_nb.model.status import Usage

if TYPE_CHECKING:
    from defang_nb.providers.history import History

_SAMPLE = 5.0
"""Seconds that a provider may take to tell what services use."""


def overview(
    stack: str | None = None, *, project: str | None = None, limit: int = 10, working_dir: str | Path | None = None
) -> Overview:
    """All stacks that can be named from here, or one; all their projects, or one; of each the last `limit` deployments.

    What one stack (that was not asked for alone) can't tell is said in its `trouble`; the others are told all the same.
    Raises `NotFoundError`, `UsageError`.
    """
    names = [stack] if stack else stack_names(Path(working_dir or ".").absolute())
    if stack:
        workspace_of(stack, working_dir)

    async def read() -> list[StackOverview]:
        return list(await asyncio.gather(*(_stack(name, project, limit, working_dir) for name in names)))

    return Overview(time=time.time(), stacks=tuple(loop.run(read())))


async def _stack(name: str, project: str | None, limit: int, working_dir: str | Path | None) -> StackOverview:
    provider = ""
    try:
        workspace = workspace_of(name, working_dir)
        provider = workspace.stack.provider
        history = await workspace.history()
        names = [each for each in await history.projects() if project in (None, each)]
        running, unfinished, latest = await asyncio.gather(
            workspace.running(), history.unfinished(), history.latest(project, limit)
        )
        found = await asyncio.gather(*(_project(workspace, history, each) for each in names))
    except (DefangError, OSError) as error:
        return StackOverview(name=name, provider=provider, trouble=str(error))
    ours = [each for each in unfinished if project in (None, each.project)]
    return StackOverview(
        name=name,
        provider=provider,
        unfinished=tuple(Unfinished(deployment=each, alive=each.id in running) for each in ours),
        projects=tuple(each for each, _ in found),
        history=tuple(latest),
        trouble="; ".join(dict.fromkeys(said for _, said in found if said)),
    )


async def _project(workspace: Workspace, history: History, name: str) -> tuple[ProjectOverview, str]:
    """With what could not be read of it."""
    it = ProjectOverview(name=name)
    try:
        it = msgspec.structs.replace(it, services=tuple(await workspace.provider.status(name)))
        it = msgspec.structs.replace(it, config=tuple(await workspace.provider.config.names(name)))
        if any(each.running for each in it.services):
            cost, used = await asyncio.gather(monthly(workspace, history, name), _usage(workspace, name))
            it = msgspec.structs.replace(it, monthly=cost, usage=tuple(used))
    except (DefangError, OSError) as error:
        return it, f"{name}: {error}"
    return it, ""


async def monthly(workspace: Workspace, history: History, project: str) -> float | None:
    """By list prices, of what was deployed last."""
    if not costs.known_for(workspace.stack):
        return None
    deployed = await history.latest(project, 1, kind=Kind.UP, outcome=Outcome.SUCCEEDED)
    request = await history.request(project, deployed[0].id) if deployed else None
    return costs.monthly(workspace.stack, request.project) if request else None


async def _usage(workspace: Workspace, project: str) -> Sequence[Usage]:
    """One sample; none where it takes too long."""
    samples = cast("AsyncGenerator[Sequence[Usage], None]", workspace.provider.usage(project, ()))
    with contextlib.suppress(TimeoutError, StopAsyncIteration):
        try:
            return await asyncio.wait_for(anext(samples), _SAMPLE)
        finally:
            await samples.aclose()
    return ()

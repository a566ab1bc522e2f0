"""What is done to services that run, straight by the provider: no cd is needed for it, and nothing that is recorded changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from defang_nb.client import loop
from defang_nb.client.place import project_of, workspace_of
from defang_nb.client.session import RunningCommand
from defang_nb.client.workspace import Workspace
from defang_nb.errors import LeaseHeldError, NotFoundError, ProviderError, UsageError

if TYPE_CHECKING:
    from defang_nb.model.execution import Executed, TerminalSize
    from defang_nb.model.status import ServiceStatus, Usage

_LOOK = 0.2
_CRASHED = 5.0
"""Seconds for which a service may go on crashing (others that it needs start beside it) before that is told."""


def start_exec(
    service: str, command: Sequence[str], *, replica: int = 1, env: Mapping[str, str] | None = None, workdir: str = "",
    user: str = "", terminal: TerminalSize | None = None, masked: bool = False, project: str | None = None,
    stack: str | None = None, working_dir: str | Path | None = None,
) -> RunningCommand:  # fmt: skip
    """Run a command where a service runs, and return at once: to be read, written to and waited for.

    See `model.execution.Execution` for what can be said of it. Raises `NotFoundError`, `UsageError`, `ProviderError`.
    """
    from defang_nb.model.execution import Execution

    if not command:
        raise UsageError("which command?", hint=f"for example: exec {service} ls")
    workspace = workspace_of(stack, working_dir)
    project = project_of(workspace, project, working_dir)
    loop.run(statuses_of(workspace, project, [service]))
    execution = Execution(
        service=service, command=tuple(command), replica=replica, env=env or {}, workdir=workdir, user=user, terminal=terminal,
        masked=masked,
    )  # fmt: skip
    return RunningCommand(loop.run(workspace.provider.execute(project, execution)))


def execute(
    service: str, command: Sequence[str], *, replica: int = 1, env: Mapping[str, str] | None = None, workdir: str = "",
    user: str = "", given: str | bytes = b"", project: str | None = None, stack: str | None = None,
    working_dir: str | Path | None = None,
) -> Executed:  # fmt: skip
    """Run a command where a service runs, wait for it, and give what it wrote; `given` is what it reads.

    Its exit code is never an error here. Raises `NotFoundError`, `UsageError`, `ProviderError`.
    """
    with start_exec(
        service, command, replica=replica, env=env, workdir=workdir, user=user, project=project, stack=stack,
        working_dir=working_dir,
    ) as running:  # fmt: skip
        return running.communicate(given.encode() if isinstance(given, str) else given)


def restart(
    services: str | Sequence[str] = (), *, project: str | None = None, stack: str | None = None, wait: float = 60.0,
    working_dir: str | Path | None = None,
) -> list[ServiceStatus]:  # fmt: skip
    """Stop services and start them again as they were deployed, and wait until they are well; how they are then.

    Without names: all but the one-off ones that have done their work. `wait` is in seconds for them all. Raises
    `NotFoundError`, `LeaseHeldError` while a deployment of the project goes on, `ProviderError` for one that doesn't get well.
    """
    workspace = workspace_of(stack, working_dir)
    project = project_of(workspace, project, working_dir)
    named = [services] if isinstance(services, str) else list(services)
    return loop.run(_restart(workspace, project, named, wait))


def stats(
    services: str | Sequence[str] = (), *, project: str | None = None, stack: str | None = None,
    working_dir: str | Path | None = None,
) -> Iterator[Sequence[Usage]]:  # fmt: skip
    """What services use, a sample of every running replica about each second; without end, until closed.

    Raises `NotFoundError`.
    """
    workspace = workspace_of(stack, working_dir)
    project = project_of(workspace, project, working_dir)
    named = [services] if isinstance(services, str) else list(services)
    loop.run(statuses_of(workspace, project, named))

    async def read() -> AsyncGenerator[Sequence[Usage], None]:
        async for sample in workspace.provider.usage(project, named):
            yield sample

    return loop.iterate(read())


async def statuses_of(workspace: Workspace, project: str, named: Sequence[str]) -> list[ServiceStatus]:
    """Of the named services (none: of all). Raises `NotFoundError`."""
    known = {each.service: each for each in await workspace.provider.status(project)}
    for name in named:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"services: {', '.join(known)}" if known else "run `up` first"
            raise NotFoundError(f"{project} runs no service {name!r}", hint=hint)
    return [known[name] for name in dict.fromkeys(named)] if named else list(known.values())


async def _restart(workspace: Workspace, project: str, named: Sequence[str], wait: float) -> list[ServiceStatus]:
    from defang_nb.provision.lease import holder

    held = await holder(await workspace.provider.store(), project)
    if held is not None:
        raise LeaseHeldError(
            f"deployment {held.deployment} of {project} goes on, and decides what runs", hint="restart when it is over"
        )
    before = await statuses_of(workspace, project, named)
    wanted = [each.service for each in before if named or each.state != "exited" or each.exit_code]
    if not wanted:
        raise NotFoundError(f"nothing of {project} runs", hint="run `up` first")
    await workspace.provider.restart(project, wanted)
    return await _well(workspace, project, wanted, wait)


async def _well(workspace: Workspace, project: str, wanted: Sequence[str], wait: float) -> list[ServiceStatus]:
    """Wait until all are. Raises `ProviderError`."""
    deadline = time.monotonic() + wait
    crashed: dict[str, float] = {}
    while True:
        found = await statuses_of(workspace, project, wanted)
        now = time.monotonic()
        for each in found:
            if _is_well(each):
                crashed.pop(each.service, None)
            elif each.state == "crashed" and now - crashed.setdefault(each.service, now) > _CRASHED:
                raise ProviderError(f"{each.service} crashed since it was restarted", hint=f"logs {each.service} --tail 20")
        late = [each.service for each in found if not _is_well(each)]
        if not late:
            return found
        if now > deadline:
            raise ProviderError(f"{', '.join(late)} did not get well within {wait:.0f} s", hint=f"logs {late[0]} --tail 20")
        await asyncio.sleep(_LOOK)


def _is_well(status: ServiceStatus) -> bool:
    if status.state == "exited":
        return True
    return status.state == "running" and status.healthy is not False and status.running == status.wanted

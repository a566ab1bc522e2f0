"""Containers are stopped and started again as they are: those that keep data first, since others may give up without them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.providers.local.docker import hooks, labels
from defang_nb.providers.local.docker.container import seen
from defang_nb.providers.local.docker.engine import DockerEngine

_PATIENCE = 30.0
_LOOK = 0.1
_GRACE = 10
"""Seconds that a container gets to stop where it does not say."""


async def restart(engine: DockerEngine, project: str, services: Sequence[str]) -> None:
    """Raises `ProviderError` for one that can't be started."""
    found = [each for each in await engine.containers() if _wanted(each, project, services)]
    stores = [each for each in found if any(mount.get("Type") == "volume" for mount in each.get("Mounts") or ())]
    await asyncio.gather(*(_restart(engine, each) for each in stores))
    if len(stores) < len(found):
        await _healthy(engine, {each["Id"] for each in stores})
    await asyncio.gather(*(_restart(engine, each) for each in found if each not in stores))


def _wanted(found: Mapping[str, Any], project: str, services: Sequence[str]) -> bool:
    marks = found.get("Labels") or {}
    return marks.get(labels.PROJECT) == project and marks.get(labels.SERVICE) in services


async def _restart(engine: DockerEngine, found: Mapping[str, Any]) -> None:
    container, marks = found["Id"], found.get("Labels")

    def work(client: Any) -> None:
        stop = client.inspect_container(container)["Config"].get("StopTimeout")
        if seen(found).running:
            hooks.run(client, container, hooks.kept(marks, hooks.PRE_STOP))
        client.restart(container, timeout=_GRACE if stop is None else stop)
        hooks.run(client, container, hooks.kept(marks, hooks.POST_START))

    await engine.ask(work)


async def _healthy(engine: DockerEngine, ids: set[str]) -> None:
    """Wait until none of these is still starting, if it has a health check that says so."""
    deadline = time.monotonic() + _PATIENCE
    while late := [each for each in map(seen, await engine.containers()) if each.id in ids and each.health == "starting"]:
        if time.monotonic() > deadline:
            raise ProviderError(f"{late[0].name} is not healthy since it was restarted", hint="see its logs")
        await asyncio.sleep(_LOOK)

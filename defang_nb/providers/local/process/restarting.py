"""Services are stopped and started again as they were deployed: stores first, since others may give up without them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from defang_nb.errors import ProviderError
from defang_nb.providers.local.process.engine import Engine, ServiceNote, program
from defang_nb.providers.local.process.status import listens

_STORES = ("Postgres", "Redis")
_PATIENCE = 30.0
_LOOK = 0.05


async def restart(engine: Engine, project: str, services: Sequence[str]) -> None:
    """Raises `ProviderError` for one that can't be started, or a store that does not answer again."""
    notes = [note for note in engine.notes(project) if note.service in services]
    stores = [note for note in notes if note.urn.split("/")[2] in _STORES]
    await asyncio.gather(*(_restart(engine, note) for note in stores))
    await asyncio.gather(*(_answers(note) for note in stores))
    await asyncio.gather(*(_restart(engine, note) for note in notes if note not in stores))


async def _restart(engine: Engine, note: ServiceNote) -> None:
    for number in range(1, note.replicas + 1):
        await engine.supervisor.restart(program(note.project, note.service, number))


async def _answers(note: ServiceNote) -> None:
    for _ in range(int(_PATIENCE / _LOOK)):
        if await listens(note.outputs["endpoints"][0]["url"]):
            return
        await asyncio.sleep(_LOOK)
    raise ProviderError(f"{note.service} does not answer since it was restarted", hint=f"logs {note.service}")

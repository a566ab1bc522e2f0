"""How much of the past a stack keeps, so that it does not grow for ever.

Of each project the latest `STORIES` deployments stay, with their requests and events, and beyond them the latest `up` that went
well and whatever runs. Build contexts stay for the latest `CONTEXTS` deployments that brought a project up: those can be built
again. A context that no kept deployment names is deleted `GRACE` seconds after that was first noticed, since a workspace may
have looked for it just now and be about to ask for it. What a crash leaves here is deleted the next time,
and so are the notes of uploads that died with their cd.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from defang_nb.model.events import Kind, Outcome
from defang_nb.providers import uploads
from defang_nb.providers.history import History
from defang_nb.provision.ports import ObjectStore

STORIES = 100
CONTEXTS = 20
GRACE = 3600.0
_SLACK = 10
"""So many deployments more than `STORIES` there may be, so that not each of them cleans up behind one other."""
_CONTEXTS = "contexts/"
_NOTES = "unused-contexts.json"


async def tidy(store: ObjectStore, project: str, now: float) -> None:
    """Delete what is too old. Reads little while there is little. Raises `ProviderError`."""
    history = History(store)
    ids = await history.ids(project)
    if len(ids) > STORIES + _SLACK:
        running = await _running(history)
        good = {each.id for each in await history.latest(project, 1, kind=Kind.UP, outcome=Outcome.SUCCEEDED)}
        for each in ids[:-STORIES]:
            if each not in running | good:
                await history.forget(project, each)
    await uploads.sweep(store, lambda: _running(history))
    held = await store.list(_CONTEXTS)
    if len(held) > CONTEXTS:
        await _sweep(store, held, await _wanted(history), now)


async def _running(history: History) -> set[str]:
    return {each.id for each in await history.unfinished()}


async def _wanted(history: History) -> set[str]:
    """The contexts that a deployment which may be asked for again was made from."""
    wanted: set[str] = set()
    for project in await history.projects():
        ups = await history.latest(project, CONTEXTS, kind=Kind.UP)
        ups += await history.latest(project, 1, kind=Kind.UP, outcome=Outcome.SUCCEEDED)
        requests = await asyncio.gather(*(history.request(project, each.id) for each in ups))
        asked = [request for request in requests if request]
        wanted |= {image.context_key for request in asked for image in request.images}
        services = [service for request in asked for service in request.project.services.values()]
        wanted |= {service.static_files.key for service in services if service.static_files}
    return wanted


async def _sweep(store: ObjectStore, held: Iterable[str], wanted: set[str], now: float) -> None:
    stored = await store.get(_NOTES)
    noticed: dict[str, float] = _read(stored.data) if stored else {}
    unused = {key: noticed.get(key, now) for key in held if key not in wanted}
    old = [key for key, since in unused.items() if now - since >= GRACE]
    for key in old:
        await store.delete(key)
    left = {key: since for key, since in unused.items() if key not in old}
    if left != noticed:
        await store.put(_NOTES, msgspec.json.encode(left))


def _read(data: bytes) -> dict[str, float]:
    try:
        return msgspec.json.decode(data, type=dict[str, float])
    except msgspec.DecodeError:
        return {}

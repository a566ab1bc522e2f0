"""Looking at the world: what is live, and what a dead deployment left unfinished."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.model.plan import Action
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json
from defang_nb.provision.calls import call
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.drift import Observed, as_live
from defang_nb.provision.journal import Begin, End
from defang_nb.provision.ports import Made, ResourceType
from defang_nb.provision.state import State, base_urn


async def observe(
    recorded: Mapping[str, Recorded], types: Mapping[str, ResourceType], *, clock: Clock = SYSTEM_CLOCK
) -> Observed:
    """What is live now, in one bulk read for each type: urn → outputs, None for what is gone; an absent urn is unknown.

    Where a type's reads lag behind, what differs from the record is read once more, when it can be believed. Replaced resources
    that only wait for their deletion are not looked at. Raises `DefangError`.
    """
    groups: dict[str, list[Recorded]] = {}
    for urn, record in recorded.items():
        if urn == base_urn(urn) and record.type in types:
            groups.setdefault(record.type, []).append(record)

    async def read(type_: ResourceType, group: list[Recorded]) -> Observed:
        seen = await call(lambda: type_.read_many(group), clock)
        doubtful = [record for record in group if type_.lag and _differs(record, seen)]
        if not doubtful:
            return seen
        await clock.sleep(type_.lag)  # what differs may only not show yet: it counts when it still does later
        return {**seen, **await call(lambda: type_.read_many(doubtful), clock)}

    live: dict[str, Mapping[str, Json] | None] = {}
    for found in await asyncio.gather(*(read(types[name], group) for name, group in groups.items())):
        live.update(found)
    return live


async def recover(state: State, types: Mapping[str, ResourceType], *, deployment: str, clock: Clock = SYSTEM_CLOCK) -> None:
    """Settle what a dead deployment left unfinished, by asking each type what is there. Call it before `plan`.

    What was touched is recorded as not ready, so that the planner repairs it. On a state that was opened without a lease it
    only corrects the picture in memory (for a preview). Raises `DefangError`.
    """
    unfinished: dict[str, list[Begin]] = {}
    for begin in state.pending:
        unfinished.setdefault(begin.urn, []).append(begin)

    async def settle(begins: Sequence[Begin]) -> None:
        for begin in begins:
            record = state.recorded.get(begin.urn)
            made = await _find(begin, record, types, clock)
            if made is not None and made.id in retired_ids(state.recorded, begin.urn):
                made = None
            recorded, retired = _truth(begin, record, made, deployment)
            end = End(
                urn=begin.urn, recorded=recorded, retired=retired, token=begin.token, deployment=deployment, time=clock.now()
            )
            await state.append(end)

    results = await asyncio.gather(*(settle(begins) for begins in unfinished.values()), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def retired_ids(recorded: Mapping[str, Recorded], urn: str) -> set[str]:
    """The ids of those that `urn` replaced and that still wait for their deletion: finding one of them is no news."""
    return {record.id for other, record in recorded.items() if other != urn and base_urn(other) == urn}


def _truth(
    begin: Begin, record: Recorded | None, made: Made | None, deployment: str
) -> tuple[Recorded | None, Recorded | None]:
    """What has to be recorded after `begin` was found unfinished: the record, and one that it retires."""
    if begin.action is Action.CREATE and begin.resource is not None:
        if made is not None and (record is None or made.id != record.id):
            return record_of(begin.resource, made, deployment=deployment), record
        return record, None
    if record is None or made is None:
        return None, None
    return msgspec.structs.replace(record, ready=False), None


async def _find(begin: Begin, record: Recorded | None, types: Mapping[str, ResourceType], clock: Clock) -> Made | None:
    """What is live of the resource; what is recorded, where looking would tell nothing new.

    Looks only when all that was asked for shows: neither that it is there nor that it is not can be believed sooner.
    """
    type_name = begin.resource.type if begin.resource else record.type if record else ""
    if begin.action is Action.UPDATE or begin.urn != base_urn(begin.urn):
        return Made(id=record.id) if record else None
    if type_name not in types:
        raise ProviderError(f"this provider does not know resources of type {type_name!r}", hint="update defang-nb")
    if lag := types[type_name].lag:
        await clock.sleep(lag)
    return await call(lambda: types[type_name].find(begin.urn), clock)


def _differs(record: Recorded, seen: Observed) -> bool:
    live = seen.get(record.urn, {})
    return live is None or as_live(record, live) != record


def record_of(resource: Resource, made: Made, *, deployment: str, ready: bool = False) -> Recorded:
    """The record of `resource` (inputs resolved) as it was made."""
    return Recorded(
        urn=resource.urn,
        type=resource.type,
        id=made.id,
        inputs=resource.inputs,
        input_hash=resource.input_hash,
        outputs=made.outputs,
        dependencies=resource.dependencies,
        protect=resource.options.protect,
        ready=ready,
        service=resource.service,
        main=resource.main,
        title=resource.title,
        deployment=deployment,
    )

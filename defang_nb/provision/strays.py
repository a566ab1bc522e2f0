"""What is live and carries our tag, but is not in the record: found, taken into it, or (as an orphan) named.

That happens when a record was lost, or was made on another machine, or when somebody deleted the stack's store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import msgspec

from defang_nb.model.plan import Plan
from defang_nb.model.resource import Need, Options, Recorded, Resource, hash_inputs
from defang_nb.provision.calls import call
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.journal import End
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import Live, Made, ResourceType, Tagged
from defang_nb.provision.recovery import record_of
from defang_nb.provision.state import State, retired_urn


async def owned(types: Mapping[str, ResourceType], project: str = "", *, clock: Clock = SYSTEM_CLOCK) -> Sequence[Live]:
    """All that is live and ours, by tag, in one bulk read for each type that can tell; sorted by urn. Raises `DefangError`."""
    tagged = [type_ for type_ in types.values() if isinstance(type_, Tagged)]
    found = await asyncio.gather(*(call(lambda it=it: it.owned(project), clock) for it in tagged))  # type: ignore[misc]
    return sorted((each for group in found for each in group), key=lambda each: (each.urn, each.id))


def strays(live: Sequence[Live], state: State) -> Sequence[Live]:
    """Those of `live` that nothing recorded is, and that no operation under way may have made."""
    known = {(each.type, each.id) for each in state.recorded.values()}
    unsure = {begin.urn for begin in state.pending}
    return [each for each in live if (each.type, each.id) not in known and each.urn not in unsure]


async def adopt(
    desired: Sequence[Resource],
    state: State,
    types: Mapping[str, ResourceType],
    *,
    project: str,
    deployment: str,
    clock: Clock = SYSTEM_CLOCK,
) -> Collection[str]:
    """Record what is desired, live and not recorded; its urns. Asks those types only of which something is not recorded.

    What it was made from is recorded as well as it can be told: then only what differs is changed, else it is updated. On a
    state that was opened without a lease it only corrects the picture in memory. Raises `DefangError`.
    """
    missing = {each.urn: each for each in desired if each.urn not in state.recorded}
    if not missing:
        return ()
    asked = {name: types[name] for name in sorted({each.type for each in missing.values()}) if name in types}
    found = {each.urn: each for each in strays(await owned(asked, project, clock=clock), state)}
    entries = [
        End(urn=urn, recorded=_record(live, missing[urn], deployment), deployment=deployment, time=clock.now())
        for urn, live in found.items()
        if urn in missing and missing[urn].type == live.type
    ]
    if entries:
        await state.append(*entries)
    return {entry.urn for entry in entries}


def _record(live: Live, resource: Resource, deployment: str) -> Recorded:
    """What is known of it; without its inputs, or when it may not be usable, it counts as not ready and is updated."""
    made = Made(id=live.id, outputs=live.outputs)
    record = record_of(resource, made, deployment=deployment, ready=live.ready and live.inputs is not None)
    inputs = live.inputs or {}
    return msgspec.structs.replace(record, inputs=inputs, input_hash=hash_inputs(inputs))


async def removal(
    orphans: Sequence[Live], state: State, types: Mapping[str, ResourceType], *, deployment: str, clock: Clock = SYSTEM_CLOCK
) -> Plan:
    """The plan that deletes `orphans` and nothing else. They are recorded first, so that a crash forgets none of them."""
    entries = []
    for live in orphans:
        options = Options(protect=live.holds_data, depends_on=dict.fromkeys(live.needs, Need.CREATED))
        resource = Resource(
            urn=live.urn, type=live.type, inputs=live.inputs or {}, options=options, service=live.service, title=live.title
        )
        record = record_of(resource, Made(id=live.id, outputs=live.outputs), deployment=deployment)
        if live.urn in state.recorded:
            record = msgspec.structs.replace(record, urn=retired_urn(record))
        entries.append(End(urn=record.urn, recorded=record, deployment=deployment, time=clock.now()))
    if entries:
        await state.append(*entries)
    doomed = {entry.urn for entry in entries}
    made = plan((), state.recorded, types, {}, state_version=state.version)
    steps = tuple(
        msgspec.structs.replace(step, cause="no record knows it", after=tuple(urn for urn in step.after if urn in doomed))
        for step in made.steps
        if step.urn in doomed
    )
    return msgspec.structs.replace(made, steps=steps)

"""Drift: what is live and not as it is recorded, for people to read; and taking it into the record.

A type's bulk read may give, beside the outputs, the live values of input properties, under `LIVE_INPUTS`. What somebody changed
by hand is then known property by property: an `up` changes it back, `refresh --accept` records it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from defang_nb.model.plan import Action, Step
from defang_nb.model.resource import Recorded, hash_inputs
from defang_nb.model.value import Json
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.differences import change, differences, words
from defang_nb.provision.journal import End
from defang_nb.provision.ports import LIVE_INPUTS
from defang_nb.provision.state import State, base_urn

Observed = Mapping[str, Mapping[str, Json] | None]


def drift(recorded: Mapping[str, Recorded], observed: Observed) -> tuple[Step, ...]:
    """A step for each resource that is not as recorded: what an `up` would have to mend. Nothing is changed."""
    return tuple(_steps(recorded, observed))


def _steps(recorded: Mapping[str, Recorded], observed: Observed) -> Iterator[Step]:
    for urn, live in observed.items():
        record = recorded.get(urn)
        if record is None:
            continue
        step = Step(
            urn=urn, type=record.type, action=Action.CREATE, cause="is gone", service=record.service, title=record.title
        )
        if live is None:
            yield step
            continue
        now = as_live(record, live)
        found = (*differences(record.inputs, now.inputs), *differences(record.outputs, now.outputs))
        if found:
            yield msgspec.structs.replace(
                step,
                action=Action.UPDATE,
                cause=outside(each.path for each in found),
                changes=tuple(change(each, replaces=False) for each in found),
            )


def outside(paths: Iterable[str]) -> str:
    """ "replicas and image changed outside"."""
    return words(list(paths), "changed outside")


def as_live(record: Recorded, live: Mapping[str, Json]) -> Recorded:
    """The record with what is live in it, as it will be read again from the store."""
    read = msgspec.json.decode(msgspec.json.encode(live))
    inputs = read.pop(LIVE_INPUTS, {})
    merged = {**record.inputs, **inputs}
    if merged == record.inputs:
        return msgspec.structs.replace(record, outputs={**record.outputs, **read})
    return msgspec.structs.replace(
        record, inputs=merged, input_hash=hash_inputs(merged), outputs={**record.outputs, **read}
    )  # fmt: skip


async def refresh(
    state: State, observed: Observed, *, deployment: str, clock: Clock = SYSTEM_CLOCK, forget: bool = False
) -> Mapping[str, tuple[str, ...]]:
    """Record what is live where it differs: urn → the input properties that do. Writes nothing when nothing does.

    `forget` also takes what is gone out of the record; else that stays for the planner, which makes it anew.
    """
    now = clock.now()
    entries: list[End] = []
    changed: dict[str, tuple[str, ...]] = {}
    for urn, live in observed.items():
        record = state.recorded.get(urn)
        if record is None or urn != base_urn(urn):
            continue
        if live is None:
            if forget:
                entries.append(End(urn=urn, recorded=None, deployment=deployment, time=now))
            continue
        seen = as_live(record, live)
        if seen != record:
            entries.append(End(urn=urn, recorded=seen, deployment=deployment, time=now))
            changed[urn] = tuple(each.path for each in differences(record.inputs, seen.inputs))
    if entries:
        await state.append(*entries)
    return changed

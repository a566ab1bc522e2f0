"""The way out of a damaged record: what can be read is kept, the rest is put aside, and what is live is looked for.

A snapshot that can't be read is made again from the generation before it. What an unreadable part of the journal said is lost;
so each resource that was asked for, and that nothing is known of any more, is looked for by its name or tag (`adopt`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.errors import StateDamagedError
from defang_nb.model.resource import Resource
from defang_nb.provision.calls import call
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.differences import resolve_known
from defang_nb.provision.generations import (
    Head,
    Snapshot,
    begin_generation,
    journal_prefix,
    read_head,
    read_snapshot,
    root_of,
    seal_before,
)
from defang_nb.provision.journal import End, read_entries
from defang_nb.provision.lease import Lease
from defang_nb.provision.objects import GoneError
from defang_nb.provision.order import creation_order
from defang_nb.provision.ports import ObjectStore, ResourceType
from defang_nb.provision.recovery import record_of
from defang_nb.provision.state import State, first_missing

_PLACE = re.compile(r"/(journal|snapshots)/(\d+)[/-](\d+)")


async def salvage(store: ObjectStore, project: str, lease: Lease) -> tuple[str, ...]:
    """Make the record of `project` readable again; the keys of what could not be read (none: all is well).

    What could not be read is kept under `damaged/`, beside the state. Raises `LeaseLostError`, `ProviderError`.
    """
    try:
        await State.open(store, project)
    except StateDamagedError:
        pass
    else:
        return ()
    reader = _Reader(store, root_of(project))
    head = await reader.head()
    await seal_before(store, reader.root, head, lease)
    recovered = await reader.generation(head)
    await begin_generation(store, reader.root, head, await store.get(reader.root + "head"), recovered, lease)
    return tuple(reader.damaged)


async def adopt(
    desired: Sequence[Resource],
    state: State,
    types: Mapping[str, ResourceType],
    *,
    deployment: str,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[str, ...]:
    """Record what is live of `desired` and not recorded, as not ready, so that the next deployment updates it; their urns.

    Raises `DefangError`.
    """
    found: list[str] = []
    outputs = {urn: record.outputs for urn, record in state.recorded.items()}
    for resource in creation_order(desired):
        type_ = types.get(resource.type)
        if type_ is None or resource.urn in state.recorded:
            continue
        made = await call(lambda urn=resource.urn, type_=type_: type_.find(urn), clock)  # type: ignore[misc]
        if made is not None:
            known = msgspec.structs.replace(resource, inputs=resolve_known(resource.inputs, outputs))
            record = record_of(known, made, deployment=deployment)
            await state.append(End(urn=resource.urn, recorded=record, deployment=deployment, time=clock.now()))
            outputs[resource.urn] = made.outputs
            found.append(resource.urn)
    return tuple(found)


class _Reader:
    """Reads what there is, and notes what can't be read, which it copies."""

    def __init__(self, store: ObjectStore, root: str) -> None:
        self.root = root
        self.damaged: list[str] = []
        self._store = store

    async def head(self) -> Head:
        """The head; where it can't be read, one that names the youngest generation that is there."""
        try:
            return (await read_head(self._store, self.root))[0]
        except StateDamagedError:
            await self._put_aside(self.root + "head")
        places = [found for key in await self._store.list(self.root) if (found := _PLACE.search(key))]
        generation = max((int(found[2]) for found in places), default=0)
        return Head(generation=generation, snapshot=await self._snapshot_of(generation))

    async def generation(self, head: Head) -> Snapshot:
        """What is recorded at the end of the head's generation."""
        try:
            snapshot = await read_snapshot(self._store, head.snapshot)
        except (StateDamagedError, GoneError):
            await self._put_aside(head.snapshot)
            before = Head(generation=head.generation - 1, snapshot=await self._snapshot_of(head.generation - 1))
            snapshot = await self.generation(before) if head.generation > 0 else Snapshot()
        return await self._fold(snapshot, head.generation)

    async def _fold(self, snapshot: Snapshot, generation: int) -> Snapshot:
        prefix = journal_prefix(self.root, generation)
        state = State(snapshot, None)
        keys = await self._store.list(prefix)
        if missing := first_missing([key.removeprefix(prefix) for key in keys]):
            self.damaged.append(prefix + missing)
        for key in keys:
            try:
                await state.append(*await read_entries(self._store, key))
            except (StateDamagedError, GoneError):
                await self._put_aside(key)
        return Snapshot(recorded=dict(state.recorded), pending=state.pending)

    async def _snapshot_of(self, generation: int) -> str:
        keys = await self._store.list(f"{self.root}snapshots/{generation:08d}-")
        return keys[-1] if keys else ""

    async def _put_aside(self, key: str) -> None:
        self.damaged.append(key)
        stored = await self._store.get(key)
        if stored is not None:
            copy = f"{self.root}damaged/{key.removeprefix(self.root).replace('/', '-')}"
            with contextlib.suppress(OSError):
                await self._store.put(copy, stored.data)

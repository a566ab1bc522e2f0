"""The journal: what happened to a project's resources since its last snapshot, append-only.

An operation's `Begin` is durable before its call to the cloud is made; its `End` is written after it. Objects are named
`projects/<project>/state/journal/<generation>/<epoch>-<sequence>` and are only ever created (if-absent), by one writer at a
time and one after the other: so the writer that finds its next name taken knows that it was taken for dead and *sealed*, and
that nothing it has not written yet can count. Entries that become ready while a write is under way share the next object, which
is how a hundred parallel operations need no hundred writes one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from defang_nb.errors import StateDamagedError
from defang_nb.model.plan import Action
from defang_nb.model.resource import Recorded, Resource
from defang_nb.provision.objects import GoneError, fetch, pack, unpack
from defang_nb.provision.ports import ConflictError, ObjectStore


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """A call is about to be made. `resource` (inputs resolved) is what shall be made; None for a delete."""

    token: str
    urn: str
    action: Action
    deployment: str
    time: float
    resource: Resource | None = None


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """What is true now of `urn`: its record, or None when there is none. An empty `token` ends no operation.

    `retired` is the record of a replaced resource that is still to be deleted.
    """

    urn: str
    recorded: Recorded | None
    deployment: str
    time: float
    token: str = ""
    retired: Recorded | None = None


class Seal(msgspec.Struct, frozen=True, kw_only=True, tag="seal"):
    """The last entry of its epoch, written by a later one: whoever still holds that epoch can write no more."""

    by_epoch: int


Entry = Begin | End | Seal

SOON = 0.1
"""Seconds that an entry may wait for others to be written with."""


class SealedError(Exception):
    """The writer's epoch was sealed by a later one. Never leaves the engine."""


class Journal:
    """One generation of the journal, as one epoch writes it. `prefix` ends with the generation's `/`."""

    def __init__(self, store: ObjectStore, prefix: str, epoch: int, sequence: int = 0) -> None:
        self._store = store
        self._prefix = prefix
        self._epoch = epoch
        self._sequence = sequence
        self._waiting: list[Entry] = []
        self._next: asyncio.Task[None] | None = None
        self._last: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    @property
    def position(self) -> str:
        """The name of the last object written (or found) here."""
        return entry_name(self._epoch, self._sequence)

    @property
    def sequence(self) -> int:
        """How many objects this epoch has written here."""
        return self._sequence

    async def append(self, entries: Sequence[Entry]) -> None:
        """Make `entries` durable, in one object. A cancelled caller's entries are written all the same.

        Raises `SealedError`, and `ProviderError` when the store can't be reached (then they may be written or not).
        """
        self._waiting.extend(entries)
        await asyncio.shield(self._write())

    def append_soon(self, entries: Sequence[Entry]) -> None:
        """Have `entries` written with what comes next, or in `SOON` seconds. That they can't be shows at the next `append`."""
        self._waiting.extend(entries)
        asyncio.get_running_loop().call_later(SOON, self._write_rest)

    async def drain(self) -> None:
        """Wait until all is written, and no write is under way."""
        self._write_rest()
        if self._last is not None:
            await asyncio.wait([self._last])

    def _write(self) -> asyncio.Task[None]:
        if self._next is None:
            self._next = self._last = asyncio.create_task(self._flush())
        return self._next

    def _write_rest(self) -> None:
        if self._waiting:
            self._write().add_done_callback(_heard)

    async def _flush(self) -> None:
        async with self._writing:
            batch, self._waiting, self._next = self._waiting, [], None
            data = pack(batch)
            while True:
                key = self._prefix + entry_name(self._epoch, self._sequence + 1)
                try:
                    await self._store.put(key, data, if_absent=True)
                except ConflictError:
                    found = await read_entries(self._store, key)
                    if sealed(found):
                        raise SealedError from None
                    # Else it is a write of ours whose reply was lost: of these entries, or of some that were given up.
                    self._sequence += 1
                    if pack(found) == data:
                        return
                else:
                    self._sequence += 1
                    return


def _heard(write: asyncio.Task[None]) -> None:
    """Nobody waits for it: that it failed is found by the next one."""
    if not write.cancelled():
        write.exception()


async def seal(store: ObjectStore, prefix: str, epochs: Sequence[int], by_epoch: int) -> None:
    """See to it that the writers of `epochs` can write nothing more under `prefix`."""
    data = pack([Seal(by_epoch=by_epoch)])
    for epoch in epochs:
        written = await store.list(f"{prefix}{epoch:08d}-")
        with contextlib.suppress(StateDamagedError):  # what can't be read seals nothing
            if written and sealed(await read_entries(store, written[-1])):
                continue
        sequence = len(written) + 1
        while True:
            try:
                await store.put(prefix + entry_name(epoch, sequence), data, if_absent=True)
            except ConflictError:
                sequence += 1  # it was alive after all, and faster; or somebody seals too, which does no harm
            else:
                break


def entry_name(epoch: int, sequence: int) -> str:
    """Names sort as the entries happened."""
    return f"{epoch:08d}-{sequence:08d}"


def sealed(entries: Sequence[Entry]) -> bool:
    """Whether these end their epoch."""
    return any(isinstance(entry, Seal) for entry in entries)


async def read_entries(store: ObjectStore, key: str) -> list[Entry]:
    """The entries of one object. Raises `StateDamagedError`, `ProviderError`, and `GoneError` when it is not there."""
    found = await fetch(store, key)
    if found is None:
        raise GoneError(key)
    return unpack(found.data, list[Entry], key)

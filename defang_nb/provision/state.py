"""What is recorded of a project: a snapshot, and the journal since. Killed at any instant, the next run goes on from here.

Under `projects/<project>/state/`: `head` names the current *generation*, its snapshot and the epoch that wrote it, and is moved
by compare-and-swap; `snapshots/…` hold everything at the start of a generation; `journal/<generation>/…` holds what happened
since. Nothing but the head is ever written twice (`generations.py`).

Who takes the lease over from one that may only seem dead first moves the head to its own epoch, so that the old holder can
begin no generation, and then seals the old holder's journal, so that it can write no entry: neither needs a clock. Every
operation's `Begin` is durable before its call is made, so a holder that can't write begins nothing in the world either.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.model.resource import Recorded
from defang_nb.provision.generations import (
    Head,
    Snapshot,
    begin_generation,
    fence,
    forget,
    journal_prefix,
    read_head,
    read_snapshot,
    root_of,
)
from defang_nb.provision.journal import Begin, End, Entry, Journal, Seal, SealedError, entry_name, read_entries
from defang_nb.provision.lease import Lease, lost_error
from defang_nb.provision.objects import GoneError, damaged
from defang_nb.provision.ports import ObjectStore, Stored

SNAPSHOT_AFTER = 64
"""How many journal objects there may be before the next opening begins a new generation."""

COMPACT_AFTER = 8
"""How many there may be at the end of a deployment: so that the next opening reads little, however much was written."""

_LOOKS = 4
"""How often one looks for an object before it counts as missing."""


def retired_urn(recorded: Recorded) -> str:
    """The urn under which a replaced resource is recorded until it is deleted."""
    return f"{recorded.urn}~{recorded.id}"


def base_urn(urn: str) -> str:
    """The urn that a resource had before it was replaced; every other urn is its own."""
    return urn.partition("~")[0]


class State:
    """The recorded state of one project. Open it with the lease to change it, without one to look at it.

    `recorded` (urn → record) may hold replaced resources that still have to go, under `retired_urn`; the planner deletes them.
    """

    def __init__(self, snapshot: Snapshot, lease: Lease | None) -> None:
        self._recorded = dict(snapshot.recorded)
        self._pending = {begin.token: begin for begin in snapshot.pending}
        self._lease = lease
        self._journal: Journal | None = None
        self._before = 0
        self._project = ""
        self._store: ObjectStore | None = None
        self._begun: int | None = None

    @classmethod
    async def open(
        cls, store: ObjectStore, project: str, *, lease: Lease | None = None, snapshot_after: int = SNAPSHOT_AFTER
    ) -> State:
        """Load it. With a lease that was taken over, first make sure that its former holder can't write any more.

        With a lease, a journal of more than `snapshot_after` objects becomes a snapshot, and another generation begins.
        Raises `LeaseLostError` when somebody else took the lease over in the meantime, `StateDamagedError`, `ProviderError`.
        """
        root = root_of(project)
        if lease is not None and lease.holding.unsealed < lease.epoch:
            await fence(store, root, lease)
        state, names, head, stored = await cls._load(store, root, lease)
        if lease is None:
            return state
        if len(names) > snapshot_after:
            head = await begin_generation(store, root, head, stored, state._snapshot(), lease)
            state._begun = head.generation
            names = []
        written = sum(name.startswith(f"{lease.epoch:08d}-") for name in names)
        state._journal = Journal(store, journal_prefix(root, head.generation), lease.epoch, written)
        state._before = len(names) - written
        state._project, state._store = project, store
        return state

    @classmethod
    async def _load(cls, store: ObjectStore, root: str, lease: Lease | None) -> tuple[State, list[str], Head, Stored | None]:
        """The state at the journal's end, the names of the journal's objects, and the head.

        What a looker was about to read may be deleted before its eyes, when another generation begins: then it reads that.
        """
        looks = 0
        while True:
            head, stored = await read_head(store, root)
            try:
                state, names = await cls._fold_generation(store, root, head, lease)
            except GoneError as gone:
                # A listing made while others write may lack what is older than its last; looking again tells.
                looks = looks + 1 if (await read_head(store, root))[0].generation == head.generation else 0
                if looks >= _LOOKS:
                    raise damaged(gone.key, "it is missing") from None
            else:
                return state, names, head, stored

    @classmethod
    async def _fold_generation(cls, store: ObjectStore, root: str, head: Head, lease: Lease | None) -> tuple[State, list[str]]:
        prefix = journal_prefix(root, head.generation)
        keys = await store.list(prefix)
        snapshot = await read_snapshot(store, head.snapshot)
        names = [key.removeprefix(prefix) for key in keys]
        if missing := first_missing(names):
            raise GoneError(prefix + missing)
        state = cls(snapshot, lease)
        for entries in await asyncio.gather(*(read_entries(store, key) for key in keys)):
            state._fold(entries)
        return state, names

    @property
    def recorded(self) -> Mapping[str, Recorded]:
        return self._recorded

    @property
    def version(self) -> str:
        """A digest of what is recorded, whoever wrote it and however: another version is another state."""
        known = [(urn, each.id, each.input_hash, each.ready, each.protect) for urn, each in sorted(self._recorded.items())]
        return hashlib.sha256(msgspec.json.encode(known)).hexdigest()[:32]

    @property
    def pending(self) -> tuple[Begin, ...]:
        """Operations that began and never ended: their deployment died. `executor.recover` settles them."""
        return tuple(self._pending.values())

    @property
    def lost(self) -> asyncio.Event | None:
        """Set once the lease is lost. None for a state that is only looked at."""
        return self._lease.lost if self._lease else None

    @property
    def epoch(self) -> int:
        """The lease's epoch; 0 for a state that is only looked at."""
        return self._lease.epoch if self._lease else 0

    async def append(self, *entries: Entry) -> None:
        """Make `entries` durable, all or none, and fold them in. Without a lease: only fold them in.

        Raises `LeaseLostError` when another deployment took over, and `ProviderError` when the store can't be reached.
        """
        # As they will be read: memory and disk must not differ (a tuple is a list there).
        read = msgspec.json.decode(msgspec.json.encode(entries), type=list[Entry])
        if self._journal is not None and self._lease is not None:
            await self._lease.confirm()
            try:
                await self._journal.append(read)
            except SealedError:
                self._lease.lost.set()
                raise lost_error() from None
        self._fold(read)

    async def append_soon(self, *entries: Entry) -> None:
        """Fold `entries` in, and have them written with what comes next: for what may be lost, since a `Begin` tells of it."""
        read = msgspec.json.decode(msgspec.json.encode(entries), type=list[Entry])
        if self._journal is not None:
            await self.confirm()
            self._journal.append_soon(read)
        self._fold(read)

    async def confirm(self) -> None:
        """Ask this right before a call that changes something: raises `LeaseLostError` once others may have taken over."""
        if self._lease is not None:
            await self._lease.confirm()

    async def compact(self) -> None:
        """At the end of a deployment: begin a new generation when the journal has become long. Writes nothing when it has not.

        Raises `LeaseLostError`, and `ProviderError` when the store can't be reached: then all is as it was.
        """
        if self._journal is None or self._store is None or self._lease is None:
            return
        if self._before + self._journal.sequence <= COMPACT_AFTER:
            return
        await self.drain()
        await self._lease.confirm()
        root = root_of(self._project)
        head, stored = await read_head(self._store, root)
        head = await begin_generation(self._store, root, head, stored, self._snapshot(), self._lease)
        self._journal, self._before = Journal(self._store, journal_prefix(root, head.generation), self._lease.epoch), 0
        self._begun = head.generation

    async def tidy(self) -> None:
        """When it is over and nobody waits any more, with the lease or without: delete what generations begun here replaced.

        What is left (by a crash, say) goes when the next generation has begun. Raises `ProviderError`.
        """
        if self._begun is not None and self._store is not None:
            await forget(self._store, root_of(self._project), self._begun)

    async def drain(self) -> None:
        """Wait until no write is under way. Do it before the lease is released."""
        if self._journal is not None:
            await self._journal.drain()

    def _fold(self, entries: list[Entry]) -> None:
        for entry in entries:
            match entry:
                case Begin():
                    self._pending[entry.token] = entry
                case End():
                    self._pending.pop(entry.token, None)
                    if entry.recorded is None:
                        self._recorded.pop(entry.urn, None)
                    else:
                        self._recorded[entry.urn] = entry.recorded
                    if entry.retired is not None:
                        key = retired_urn(entry.retired)
                        self._recorded[key] = msgspec.structs.replace(entry.retired, urn=key)
                case Seal():
                    pass

    def _snapshot(self) -> Snapshot:
        return Snapshot(recorded=self._recorded, pending=self.pending)


def first_missing(names: Sequence[str]) -> str:
    """The first name that a journal should hold and does not ("": none): each epoch counts its objects from 1."""
    expected: dict[str, int] = {}
    for name in names:
        epoch, _, sequence = name.partition("-")
        expected[epoch] = expected.get(epoch, 0) + 1
        if int(sequence) != expected[epoch]:
            return entry_name(int(epoch), expected[epoch])
    return ""

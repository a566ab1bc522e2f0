"""What is recorded of a project: a snapshot, and the journal since. Killed at any instant, the next run goes on from here.

Under `projects/<project>/state/`: `head` names the current *generation*, its snapshot and the epoch that wrote it, and is moved
by compare-and-swap; `snapshots/…` hold everything at the start of a generation; `journal/<generation>/…` holds what happened
since. Nothing but the head is ever written twice.

Who takes the lease over from one that may only seem dead first moves the head to its own epoch, so that the old holder can
begin no generation, and then seals the old holder's journal, so that it can write no entry: neither needs a clock. Every
operation's `Begin` is durable before its call is made, so a holder that can't write begins nothing in the world either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.provision.journal import Begin, End, Entry, Journal, Seal, SealedError, read_entries, seal
from defang_nb.provision.lease import Lease, LeaseLostError
from defang_nb.provision.ports import ConflictError, ObjectStore, Stored

SNAPSHOT_AFTER = 64
"""How many journal objects there may be before the next opening begins a new generation."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """`snapshot` is a key ("": nothing was there when the generation began)."""

    generation: int = 0
    epoch: int = 0
    snapshot: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    recorded: dict[str, Recorded] = {}
    pending: tuple[Begin, ...] = ()


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

    def __init__(self, snapshot: Snapshot, generation: int, position: str, lease: Lease | None) -> None:
        self._recorded = dict(snapshot.recorded)
        self._pending = {begin.token: begin for begin in snapshot.pending}
        self._generation = generation
        self._position = position
        self._lease = lease
        self._journal: Journal | None = None

    @classmethod
    async def open(cls, store: ObjectStore, project: str, *, lease: Lease | None = None) -> State:
        """Load it. With a lease that was taken over, first make sure that its former holder can't write any more.

        Raises `LeaseLostError` when somebody else took the lease over in the meantime, and `ProviderError`.
        """
        root = f"projects/{project}/state/"
        if lease is not None and lease.holding.unsealed < lease.epoch:
            await _fence(store, root, lease)
        head, stored = await _read_head(store, root)
        state, names = await cls._load(store, root, head, lease)
        if lease is None:
            return state
        if len(names) > SNAPSHOT_AFTER:
            head = await _begin_generation(store, root, head, stored, state._snapshot(), lease)
            names, state._generation, state._position = [], head.generation, ""
        written = sum(name.startswith(f"{lease.epoch:08d}-") for name in names)
        state._journal = Journal(store, _prefix(root, head), lease.epoch, written)
        return state

    @classmethod
    async def _load(cls, store: ObjectStore, root: str, head: Head, lease: Lease | None) -> tuple[State, list[str]]:
        """The state at the journal's end, and the names of the journal's objects."""
        prefix = _prefix(root, head)
        keys = await store.list(prefix)
        snapshot = await _read_snapshot(store, head)
        names = [key.removeprefix(prefix) for key in keys]
        state = cls(snapshot, head.generation, names[-1] if names else "", lease)
        for entries in await asyncio.gather(*(read_entries(store, key) for key in keys)):
            state._fold(entries)
        return state, names

    @property
    def recorded(self) -> Mapping[str, Recorded]:
        return self._recorded

    @property
    def version(self) -> str:
        """Names what was read; another version may be another state."""
        return f"{self._generation}/{self._position}"

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
            if self._lease.lost.is_set():
                raise _lost()
            try:
                await self._journal.append(read)
            except SealedError:
                self._lease.lost.set()
                raise _lost() from None
            self._position = self._journal.position
        self._fold(read)

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


def _prefix(root: str, head: Head) -> str:
    return f"{root}journal/{head.generation:08d}/"


async def _read_head(store: ObjectStore, root: str) -> tuple[Head, Stored | None]:
    stored = await store.get(root + "head")
    if stored is None:
        return Head(), None
    try:
        return msgspec.json.decode(stored.data, type=Head), stored
    except msgspec.DecodeError as error:
        raise ProviderError(f"the state's head can't be read: {error}", hint="update defang-nb") from error


async def _read_snapshot(store: ObjectStore, head: Head) -> Snapshot:
    if not head.snapshot:
        return Snapshot()
    stored = await store.get(head.snapshot)
    try:
        return msgspec.json.decode(stored.data if stored else b"", type=Snapshot)
    except msgspec.DecodeError as error:
        raise ProviderError(f"the state's snapshot {head.snapshot} can't be read: {error}", hint="update defang-nb") from error


async def _fence(store: ObjectStore, root: str, lease: Lease) -> None:
    """Shut out every earlier epoch that may not have ended: first from the head, then from the journal."""
    while True:
        head, stored = await _read_head(store, root)
        if head.epoch > lease.epoch:
            raise _lost()
        mine = msgspec.structs.replace(head, epoch=lease.epoch)
        if mine == head or await _swap_head(store, root, stored, mine):
            break
    await seal(store, _prefix(root, mine), range(lease.holding.unsealed, lease.epoch), lease.epoch)


async def _begin_generation(
    store: ObjectStore, root: str, head: Head, stored: Stored | None, snapshot: Snapshot, lease: Lease
) -> Head:
    key = f"{root}snapshots/{head.generation + 1:08d}-{lease.epoch:08d}"
    await store.put(key, msgspec.json.encode(snapshot))
    new = Head(generation=head.generation + 1, epoch=lease.epoch, snapshot=key)
    if not await _swap_head(store, root, stored, new) and (await _read_head(store, root))[0] != new:
        raise _lost()
    return new


async def _swap_head(store: ObjectStore, root: str, stored: Stored | None, head: Head) -> bool:
    data = msgspec.json.encode(head)
    try:
        if stored is None:
            await store.put(root + "head", data, if_absent=True)
        else:
            await store.put(root + "head", data, if_match=stored.version)
    except ConflictError:
        return False
    return True


def _lost() -> LeaseLostError:
    return LeaseLostError(
        "another deployment took this project over, since this one seemed dead",
        hint="see the list of deployments for the one that goes on",
    )

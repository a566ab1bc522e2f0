"""The lease: at most one deployment at a time changes a project, and nobody ever unlocks by hand.

One object, `projects/<project>/lease`, taken with if-absent, renewed by heartbeats, and taken over with if-match once its
holder is dead (its deadline has passed, or its process on this machine is gone). Every holder has an epoch of its own, one
higher than any before. Clocks only decide *when* somebody is taken for dead; that a holder which is not dead after all does no
harm is the journal's seal (`state.py`), which needs no clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from types import TracebackType

import msgspec

from defang_nb.errors import DefangError, LeaseHeldError, ProviderError, StateDamagedError
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.objects import fetch, pack, unpack
from defang_nb.provision.owner import Owner, surely_dead, this_process
from defang_nb.provision.ports import ConflictError, ObjectStore, Stored

_POLL = 0.5
"""Seconds between two looks at a lease that one waits for."""

_EPOCH = re.compile(r"/(?:snapshots/\d+-(\d+)|journal/\d+/(\d+)-\d+)$")
_UNSEEN = 8
"""How many holders there may have been that wrote nothing that could be found."""


class LeaseLostError(LeaseHeldError):
    """This deployment held the lease, and somebody else took it over (it was taken for dead)."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What the lease object says. Times are epoch seconds. `released`: its holder ended in good order.

    `unsealed` is the first epoch whose holder may not have ended in good order: the next one seals from there.
    `nonce` is the holder's own, by which it knows its writes again when a reply was lost.
    """

    owner: Owner
    deployment: str
    epoch: int
    since: float
    deadline: float
    unsealed: int
    nonce: str
    released: bool = False


def lease_key(project: str) -> str:
    return f"projects/{project}/lease"


async def holder(store: ObjectStore, project: str, *, clock: Clock = SYSTEM_CLOCK) -> Holding | None:
    """Who holds the project's lease now, or None when nobody (alive) does."""
    found = await fetch(store, lease_key(project))
    if found is None:
        return None
    held = _decode(found, lease_key(project))
    return None if _free(held, clock) else held


class Lease:
    """Held inside `async with`.

        async with Lease(store, project, deployment=id, wait=seconds) as lease:
            state = await State.open(store, project, lease=lease)

    `repair` takes over a lease that can't be read (which else raises `StateDamagedError`). `over` may know of a holder that it
    is over, though it could not release its lease (a full disk, say).

    Entering raises `LeaseHeldError` (who, since when, for which deployment) when it is still held after `wait` seconds;
    `on_wait` is told once whom one waits for. While it is held a task renews it each `heartbeat` seconds; should it be lost,
    the event `lost` is set, and nothing can be written to the state any more.
    """

    def __init__(
        self,
        store: ObjectStore,
        project: str,
        *,
        deployment: str,
        wait: float = 0.0,
        on_wait: Callable[[Holding], None] | None = None,
        owner: Owner | None = None,
        clock: Clock = SYSTEM_CLOCK,
        ttl: float = 30.0,
        heartbeat: float = 10.0,
        repair: bool = False,
        over: Callable[[Holding], bool] | None = None,
    ) -> None:
        self.project = project
        self.lost = asyncio.Event()
        self._store = store
        self._key = lease_key(project)
        self._deployment = deployment
        self._wait = wait
        self._on_wait = on_wait
        self._owner = owner or this_process()
        self._clock = clock
        self._ttl = ttl
        self._heartbeat = heartbeat
        self._repair = repair
        self._over = over
        self._nonce = secrets.token_hex(8)
        self._held: tuple[Holding, str] | None = None
        self._writing = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None

    @property
    def holding(self) -> Holding:
        """What this lease says of itself. Only inside `async with`."""
        return self._mine()[0]

    @property
    def epoch(self) -> int:
        return self.holding.epoch

    async def confirm(self) -> None:
        """Raises `LeaseLostError` when it is not held any more.

        Asks the store only when the deadline has passed: this process was stopped for a while, or its machine slept, and the
        heartbeat has not had its turn yet. When nobody took over in the meantime, all goes on.
        """
        if not self.lost.is_set() and self._clock.now() >= self.holding.deadline:
            async with self._writing:
                try:
                    await self._renew()
                except ProviderError:
                    self.lost.set()
        if self.lost.is_set():
            raise lost_error()

    async def __aenter__(self) -> Lease:
        self._held = await self._acquire()
        self._beating = asyncio.create_task(self._beat(), name=f"heartbeat of {self._key}")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        async with self._writing:  # a heartbeat under way ends first: released is what must be written last
            if self._beating is not None:
                self._beating.cancel()
            if self.lost.is_set():
                return
            held, version = self._mine()
            # What can't be released now is taken over at its deadline.
            with contextlib.suppress(ConflictError, DefangError):
                await self._store.put(self._key, _encode(msgspec.structs.replace(held, released=True)), if_match=version)

    async def _acquire(self) -> tuple[Holding, str]:
        until = self._clock.now() + self._wait
        told = False
        while True:
            found = await fetch(self._store, self._key)
            held = await self._read(found) if found else None
            if held is None or _free(held, self._clock) or (self._over and self._over(held)):
                if (taken := await self._take(held, found)) is not None:
                    return taken
                continue
            if self._clock.now() >= until:
                raise _held_error(held)
            if not told and self._on_wait is not None:
                self._on_wait(held)
            told = True
            await self._clock.sleep(_POLL)

    async def _read(self, found: Stored) -> Holding:
        """What the lease says. To repair one that can't be read: a released one, of an epoch that is higher than any before."""
        try:
            return _decode(found, self._key)
        except StateDamagedError:
            if not self._repair:
                raise
        names = await self._store.list(f"projects/{self.project}/state/")
        epochs = [int(each[1] or each[2]) for name in names if (each := _EPOCH.search(name))]
        last = max(epochs, default=0) + _UNSEEN
        return Holding(
            owner=self._owner, deployment="", epoch=last, since=0.0, deadline=0.0, unsealed=min(epochs, default=1), nonce=""
        )

    async def _take(self, held: Holding | None, found: Stored | None) -> tuple[Holding, str] | None:
        """Write ourselves down as the next holder; None when somebody else was faster."""
        now = self._clock.now()
        epoch = held.epoch + 1 if held else 1
        mine = Holding(
            owner=self._owner,
            deployment=self._deployment,
            epoch=epoch,
            since=now,
            deadline=now + self._ttl,
            unsealed=epoch if held is None or held.released else held.unsealed,
            nonce=self._nonce,
        )
        try:
            if found is None:
                return mine, await self._store.put(self._key, _encode(mine), if_absent=True)
            return mine, await self._store.put(self._key, _encode(mine), if_match=found.version)
        except ConflictError:
            return await self._mine_after_all()

    async def _mine_after_all(self) -> tuple[Holding, str] | None:
        """A conflict may be with our own write, when only its reply was lost (a client library tried again by itself)."""
        found = await fetch(self._store, self._key)
        if found is None:
            return None
        held = _decode(found, self._key)
        return (held, found.version) if held.nonce == self._nonce else None

    async def _beat(self) -> None:
        while not self.lost.is_set():
            await self._clock.sleep(self._heartbeat)
            async with self._writing:
                try:
                    await self._renew()
                except ProviderError:
                    # The store can't be reached: try again at the next beat, as long as others can't take us for dead.
                    if self._clock.now() + self._heartbeat >= self.holding.deadline:
                        self.lost.set()

    async def _renew(self) -> None:
        held, version = self._mine()
        renewed = msgspec.structs.replace(held, deadline=self._clock.now() + self._ttl)
        try:
            self._held = renewed, await self._store.put(self._key, _encode(renewed), if_match=version)
        except ConflictError:
            if (mine := await self._mine_after_all()) is None:
                self.lost.set()
            else:
                self._held = mine

    def _mine(self) -> tuple[Holding, str]:
        if self._held is None:
            raise RuntimeError("the lease is used outside `async with`")
        return self._held


def _free(held: Holding, clock: Clock) -> bool:
    return held.released or held.deadline < clock.now() or surely_dead(held.owner)


def _encode(held: Holding) -> bytes:
    return pack(held)


def _decode(found: Stored, key: str) -> Holding:
    return unpack(found.data, Holding, key)


def lost_error() -> LeaseLostError:
    return LeaseLostError(
        "another deployment took this project over, since this one seemed dead",
        hint="see the list of deployments for the one that goes on",
    )


def _held_error(held: Holding) -> LeaseHeldError:
    since = datetime.fromtimestamp(held.since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return LeaseHeldError(
        f"deployment {held.deployment} of {held.owner} is at work on this project since {since}",
        hint=f"wait until it is over, or attach to {held.deployment}, or cancel it",
    )

"""The lease: at most one deployment at a time changes a project, and nobody ever unlocks by hand.

One object, `projects/<project>/lease`, taken with if-absent, renewed by heartbeats, and taken over with if-match once its
holder is dead (its deadline has passed, or its process on this machine is gone). Every holder has an epoch of its own, one
higher than any before. Clocks only decide *when* somebody is taken for dead; that a holder which is not dead after all does no
harm is the journal's seal (`state.py`), which needs no clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

import msgspec

from defang_nb.errors import LeaseHeldError
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.owner import Owner, this_process
from defang_nb.provision.ports import ObjectStore


class LeaseLostError(LeaseHeldError):
    """This deployment held the lease, and somebody else took it over (it was taken for dead)."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What the lease object says. Times are epoch seconds. `released`: its holder ended in good order.

    `unsealed` is the first epoch whose holder may not have ended in good order: the next one seals from there.
    """

    owner: Owner
    deployment: str
    epoch: int
    since: float
    deadline: float
    unsealed: int
    released: bool = False


class Lease:
    """Held inside `async with`.

        async with Lease(store, project, deployment=id, wait=seconds) as lease:
            state = await State.open(store, project, lease=lease)

    Entering raises `LeaseHeldError` (who, since when, for which deployment) when it is still held after `wait` seconds;
    `on_wait` is told once whom one waits for. While it is held a task renews it each `heartbeat` seconds; should it be lost, the
    event `lost` is set, and nothing can be written to the state any more.
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
    ) -> None:
        self.lost = asyncio.Event()
        self._owner = owner or this_process()
        raise NotImplementedError

    @property
    def epoch(self) -> int:
        raise NotImplementedError

    async def __aenter__(self) -> Lease:
        raise NotImplementedError

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        raise NotImplementedError

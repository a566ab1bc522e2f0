"""The lease: one holder at a time, told by name, renewed, taken over when dead, and lost for good."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from defang_nb.errors import LeaseHeldError, ProviderError
from defang_nb.provision.lease import Holding, Lease, holder
from defang_nb.provision.owner import Owner, surely_dead, this_process
from tests.provision.fakecloud import Clock
from tests.provision.memory import MemoryStore
from tests.provision.run import OWNER

BOB = Owner(name="bob@there", host="there", pid=2)


class Steps(Clock):
    """Sleepers wake when the test has moved time past their hour."""

    def __init__(self) -> None:
        super().__init__()
        self._sleeping: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleeping.append((self.time + seconds, event))
        await event.wait()

    async def pass_(self, seconds: float) -> None:
        """Let time pass in half seconds, and everybody react."""
        for _ in range(int(seconds * 2)):
            self.time += 0.5
            for hour, event in self._sleeping:
                if hour <= self.time:
                    event.set()
            for _ in range(10):
                await asyncio.sleep(0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> Steps:
    return Steps()


def lease(store: MemoryStore, clock: Clock, owner: Owner = OWNER, deployment: str = "d1", wait: float = 0.0) -> Lease:
    return Lease(store, "app", deployment=deployment, owner=owner, clock=clock, wait=wait)


async def test_each_holder_has_an_epoch_of_its_own(store: MemoryStore, clock: Steps) -> None:
    epochs = []
    for _ in range(3):
        async with lease(store, clock) as held:
            epochs.append((held.epoch, held.holding.unsealed))
    assert epochs == [(1, 1), (2, 2), (3, 3)]
    assert await holder(store, "app", clock=clock) is None


async def test_a_second_one_is_told_who_holds_it(store: MemoryStore, clock: Steps) -> None:
    async with lease(store, clock):
        with pytest.raises(LeaseHeldError, match=r"deployment d1 of ada@elsewhere \(process 1\) .* since \d{4}-") as caught:
            async with lease(store, clock, BOB, "d2"):
                pass
        assert "d1" in caught.value.hint
        found = await holder(store, "app", clock=clock)
        assert found is not None
        assert found.deployment == "d1"


async def test_who_waits_gets_it_when_it_is_released(store: MemoryStore, clock: Steps) -> None:
    told: list[Holding] = []
    async with lease(store, clock):
        waiting = Lease(store, "app", deployment="d2", owner=BOB, clock=clock, wait=60.0, on_wait=told.append)
        entering = asyncio.create_task(waiting.__aenter__())
        await clock.pass_(5)
        assert not entering.done()
    await clock.pass_(1)
    assert (await entering).epoch == 2
    assert [each.deployment for each in told] == ["d1"]
    await waiting.__aexit__(None, None, None)


async def test_who_waits_gives_up_in_time(store: MemoryStore, clock: Steps) -> None:
    async with lease(store, clock):
        entering = asyncio.create_task(lease(store, clock, BOB, "d2", wait=3.0).__aenter__())
        await clock.pass_(5)
        with pytest.raises(LeaseHeldError):
            await entering


async def test_a_living_holder_keeps_it_for_as_long_as_it_likes(store: MemoryStore, clock: Steps) -> None:
    async with lease(store, clock) as held:
        await clock.pass_(300)
        with pytest.raises(LeaseHeldError):
            await lease(store, clock, BOB, "d2").__aenter__()
        assert not held.lost.is_set()


async def test_a_dead_holder_is_taken_over_and_learns_of_it(store: MemoryStore, clock: Steps) -> None:
    frozen = Steps()
    async with lease(store, frozen) as dead:
        clock.time = frozen.time + 31.0
        async with lease(store, clock, BOB, "d2") as held:
            assert (held.epoch, held.holding.unsealed) == (2, 1)
            await frozen.pass_(11)
            assert dead.lost.is_set()
            assert not held.lost.is_set()
    found = await store.get("projects/app/lease")
    assert found is not None
    assert b'"d2"' in found.data


async def test_every_epoch_that_did_not_end_well_is_named_for_sealing(store: MemoryStore, clock: Steps) -> None:
    for expected in (1, 1, 1):
        dying = lease(store, Steps())
        dying._clock.time = clock.time  # type: ignore[attr-defined]
        assert (await dying.__aenter__()).holding.unsealed == expected
        dying._beating.cancel()  # type: ignore[union-attr]
        clock.time += 60.0
    async with lease(store, clock) as held:
        assert (held.epoch, held.holding.unsealed) == (4, 1)
    async with lease(store, clock) as held:
        assert (held.epoch, held.holding.unsealed) == (5, 5)


async def test_a_process_of_this_machine_that_is_over_need_not_be_waited_for(store: MemoryStore, clock: Steps) -> None:
    me = this_process()
    owner = Owner(name=me.name, host=me.host, pid=_ended(), started=me.started)
    await lease(store, Steps(), owner).__aenter__()
    async with lease(store, clock, BOB, "d2") as held:
        assert held.epoch == 2


def _ended() -> int:
    """The id of a process that is over."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_what_can_be_known_counts_as_dead() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert not surely_dead(me)
    assert not surely_dead(Owner(name="x@y", host="another machine", pid=2**22 - 1))
    assert surely_dead(Owner(name=me.name, host=me.host, pid=me.pid, started=me.started - 100)), "another process had the id"


async def test_of_many_that_want_it_one_gets_it(store: MemoryStore, clock: Steps) -> None:
    leases = [lease(store, clock, deployment=f"d{n}") for n in range(20)]
    results = await asyncio.gather(*(each.__aenter__() for each in leases), return_exceptions=True)
    (winner,) = [each for each in results if isinstance(each, Lease)]
    assert winner.epoch == 1
    assert sum(isinstance(each, LeaseHeldError) for each in results) == 19
    await winner.__aexit__(None, None, None)


async def test_a_heartbeat_whose_reply_was_lost_loses_nothing(store: MemoryStore, clock: Steps) -> None:
    async with lease(store, clock) as held:
        fails = iter([True])

        def after(verb: str, key: str) -> None:
            if next(fails, False):
                raise ProviderError("the connection broke")

        store.after = after
        await clock.pass_(25)
        assert not held.lost.is_set()
    async with lease(store, clock, BOB) as held:
        assert held.holding.unsealed == 2, "it was released in good order"


async def test_a_store_that_stays_away_means_that_it_is_lost_before_others_may_take_it(
    store: MemoryStore, clock: Steps
) -> None:
    def before(verb: str, key: str) -> None:
        raise ProviderError("no connection")

    async with lease(store, clock) as held:
        store.before = before
        await clock.pass_(10)
        assert not held.lost.is_set()
        await clock.pass_(15)
        assert held.lost.is_set()
        assert clock.time < held.holding.deadline

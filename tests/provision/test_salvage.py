"""The way out of a damaged record: whatever object is damaged, nothing that exists is forgotten, and nothing is made twice."""

from __future__ import annotations

import pytest

from defang_nb.errors import LeaseHeldError, StateDamagedError
from defang_nb.model.events import Outcome
from defang_nb.provision.journal import End
from defang_nb.provision.lease import Lease, lease_key
from defang_nb.provision.ports import Stored
from defang_nb.provision.recovery import recover
from defang_nb.provision.salvage import adopt, salvage
from defang_nb.provision.state import SNAPSHOT_AFTER, State
from tests.provision.fakecloud import PROJECT
from tests.provision.run import OWNER, World
from tests.provision.test_crash import first, second
from tests.provision.test_state import begin

STATE = f"projects/{PROJECT}/state/"


@pytest.fixture(autouse=True)
def long_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when each deployment died before it could make a snapshot of its journal: so that there is more to be damaged."""
    monkeypatch.setattr("defang_nb.provision.state.COMPACT_AFTER", 1_000_000)


async def deployed() -> World:
    """A project that was changed, in its second generation, with some entries in it."""
    world = World()
    await world.deploy(first())
    async with Lease(world.store, PROJECT, deployment="d", owner=OWNER, clock=world.beats) as lease:
        state = await State.open(world.store, PROJECT, lease=lease)
        record = next(iter(state.recorded.values()))
        for _ in range(SNAPSHOT_AFTER):
            await state.append(End(urn=record.urn, recorded=record, deployment="d", time=0.0))
    await world.deploy(second())
    return world


async def repair(world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """As cd does it: what was damaged, what was found again."""
    types = world.cloud.types()
    async with Lease(world.store, PROJECT, deployment="r", owner=OWNER, clock=world.beats, repair=True) as lease:
        damaged = await salvage(world.store, PROJECT, lease)
        state = await State.open(world.store, PROJECT, lease=lease)
        await recover(state, types, deployment="r", clock=world.clock)
        return damaged, await adopt(second(), state, types, deployment="r", clock=world.clock)


async def test_where_nothing_is_damaged_nothing_changes() -> None:
    world = await deployed()
    before = {key: each.data for key, each in world.store.objects.items() if key.startswith(STATE)}
    assert await repair(world) == ((), ())
    assert {key: each.data for key, each in world.store.objects.items() if key.startswith(STATE)} == before


@pytest.mark.parametrize("how", ["cut short", "gone"])
async def test_any_one_object(how: str) -> None:
    keys = [key for key in (await deployed()).store.objects if key.startswith(STATE)]
    current = [key for key in keys if "/journal/00000000/" not in key]
    assert len(current) > 5
    tried = 0
    for key in current:
        world = await deployed()
        sound = world.store.objects.pop(key)
        if how == "cut short":
            world.store.objects[key] = Stored(data=sound.data[: len(sound.data) // 2], version="x")
        try:
            await State.open(world.store, PROJECT)
        except StateDamagedError:
            tried += 1
        else:
            continue  # nothing says that the last object was ever there; a head that is gone is another test's
        damaged, _ = await repair(world)
        assert key in damaged
        if how == "cut short":
            assert any("/damaged/" in each for each in world.store.objects)
        assert (await world.deploy(second())).outcome is Outcome.SUCCEEDED, key
        live = sorted(thing["urn"] for thing in world.cloud.things.values())
        assert live == sorted(set(live)), f"{key}: something was made twice"
        wanted = {each.urn for each in second()}
        assert wanted <= set(live)
        recorded = await world.recorded()
        assert wanted <= set(recorded)
        assert {each.id for each in recorded.values()} <= set(world.cloud.things)
        await world.deploy(second())
        assert world.plan.mutations == ()
    assert tried >= len(current) - 2


async def test_a_snapshot_is_made_again_from_what_was_before_it() -> None:
    world = await deployed()
    before = await world.recorded()
    (key,) = [key for key in world.store.objects if "/snapshots/" in key]
    world.store.objects[key] = Stored(data=b"", version="x")
    assert await repair(world) == ((key,), ())
    assert await world.recorded() == before


async def test_everything_lost_is_found_again() -> None:
    world = await deployed()
    for key in [key for key in world.store.objects if key.startswith(STATE)]:
        world.store.objects[key] = Stored(data=b"rot", version="x")
    damaged, found = await repair(world)
    assert len(damaged) > 5
    assert set(found) == {each.urn for each in second()}
    made = len([verb for verb, _ in world.cloud.calls if verb == "create"])
    assert (await world.deploy(second())).outcome is Outcome.SUCCEEDED
    assert len([verb for verb, _ in world.cloud.calls if verb == "create"]) == made


async def test_a_lease_that_can_not_be_read_is_told_and_taken_over_on_request() -> None:
    world = await deployed()
    async with Lease(world.store, PROJECT, deployment="z", owner=OWNER, clock=world.beats) as lease:
        zombie = await State.open(world.store, PROJECT, lease=lease)
        epoch = lease.epoch
        world.store.objects[lease_key(PROJECT)] = Stored(data=b"{", version="rot")
        with pytest.raises(StateDamagedError, match="lease can't be read") as caught:
            await world.deploy(second())
        assert "stack repair" in caught.value.hint
        await repair(world)
        with pytest.raises(LeaseHeldError):
            await zombie.append(begin("web", "t"))
        await world.deploy(second())
        found = await world.store.get(lease_key(PROJECT))
        assert found is not None
        assert f'"epoch":{epoch + 1}'.encode() not in found.data

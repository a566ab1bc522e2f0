"""Killed at every boundary (each write to the store and each call to the cloud, before and after it), the next run mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from defang_nb.model.events import Outcome
from defang_nb.model.resource import Need, Resource
from defang_nb.model.value import config, join, ref
from tests.provision.fakecloud import a
from tests.provision.run import World, shape


def first() -> list[Resource]:
    net, disk, image = a("net", "default", zone="a"), a("disk", "data", zone="a"), a("image", "web", digest="1")
    cache = a("quick", "cache", net=ref(net.urn, "id"))
    db = a("service", "db", net=ref(net.urn, "id"), disk=ref(disk.urn, "id"), password=config("PASSWORD"))
    url = join(["postgres://", config("PASSWORD"), "@", ref(db.urn, "address")])
    migrate = a("service", "migrate", url=url, needs={db.urn: Need.READY})
    web = a("service", "web", image=ref(image.urn, "id"), url=url, needs={migrate.urn: Need.READY, cache.urn: Need.CREATED})
    old = a("service", "old", net=ref(net.urn, "id"))
    return [web, migrate, db, cache, image, disk, net, old]


def second() -> list[Resource]:
    """Two replacements (one makes before it deletes), updates that follow from them, a new resource, and one that goes."""
    changed = {"net": {"zone": "b"}, "disk": {"zone": "b"}, "image": {"digest": "2"}}
    resources = [
        Resource(urn=each.urn, type=each.type, inputs={**each.inputs, **changed.get(each.type, {})}, options=each.options)
        for each in first()
        if not each.urn.endswith("/old")
    ]
    return [*resources, a("service", "worker", db=ref("app/service/db", "address"))]


JOURNEYS: dict[str, list[Sequence[Resource]]] = {"up": [first()], "change": [first(), second()], "down": [first(), []]}


async def _assert_clean(world: World, desired: Sequence[Resource], wanted: dict[str, Any]) -> None:
    records = await world.recorded()
    assert sorted(thing["urn"] for thing in world.cloud.things.values()) == sorted(each.urn for each in desired)
    assert {each.id for each in records.values()} == set(world.cloud.things)
    assert shape(records, world.cloud) == wanted
    assert {urn: each.inputs for urn, each in records.items()} == {
        thing["urn"]: thing["inputs"] for thing in world.cloud.things.values()
    }
    writes, calls = world.journal_writes(), len(world.cloud.calls)
    applied = await world.deploy(desired)
    assert applied.outcome is Outcome.SUCCEEDED
    assert world.plan.mutations == ()
    assert (world.journal_writes(), len(world.cloud.calls)) == (writes, calls)


@pytest.mark.parametrize("journey", JOURNEYS)
async def test_killed_once_anywhere(journey: str) -> None:
    *before, last = JOURNEYS[journey]
    clean = World()
    for desired in JOURNEYS[journey]:
        assert (await clean.deploy(desired)).outcome is Outcome.SUCCEEDED
    wanted = shape(await clean.recorded(), clean.cloud)
    await _assert_clean(clean, last, wanted)

    at, died = 0, True
    while died:
        world = World()
        for desired in before:
            await world.deploy(desired)
        died = await world.die(last, at)
        applied = await world.deploy(last)
        assert applied.outcome is Outcome.SUCCEEDED, (at, applied)
        await _assert_clean(world, last, wanted)
        at += 1
    assert at > 30, "the boundaries are not there: nothing was tested"


async def test_killed_again_and_again() -> None:
    """Each run gets a little further than the last, or not even that."""
    clean = World()
    for desired in JOURNEYS["change"]:
        await clean.deploy(desired)
    wanted = shape(await clean.recorded(), clean.cloud)
    for stride in range(2, 30):
        world = World()
        await world.deploy(first())
        for _ in range(8):
            if not await world.die(second(), stride):
                break
        assert (await world.deploy(second())).outcome is Outcome.SUCCEEDED, stride
        await _assert_clean(world, second(), wanted)


async def test_a_change_of_mind_after_a_crash_leaves_nothing() -> None:
    at, died = 0, True
    while died:
        world = World()
        died = await world.die(first(), at)
        assert (await world.deploy([])).outcome is Outcome.SUCCEEDED
        assert world.cloud.things == {}
        assert await world.recorded() == {}
        at += 1


async def test_a_change_of_mind_after_a_crash_in_a_change_goes_all_the_way_back() -> None:
    """What was recorded before says nothing about what a dead update left: it is updated again, though nothing differs."""
    at, died = 0, True
    while died:
        world = World()
        await world.deploy(first())
        died = await world.die(second(), at)
        assert (await world.deploy(first())).outcome is Outcome.SUCCEEDED
        await _assert_clean(world, first(), shape(await world.recorded(), world.cloud))
        at += 1

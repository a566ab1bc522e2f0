"""Clouds that show late what was done, and processes that die with requests under way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from defang_nb.model.events import Outcome
from defang_nb.model.resource import Resource
from defang_nb.provision.state import State
from tests.provision.fakecloud import PROJECT, a
from tests.provision.far import CALM, Far, Process, Weather
from tests.provision.virtual import VirtualLoop

SEEDS = range(8)
"""Each is another story of who is late, and how much."""


def told(story: Callable[[Far], Coroutine[Any, Any, None]]) -> Callable[[int], None]:
    """A test of the story, once for each seed, in virtual time."""

    @pytest.mark.parametrize("seed", SEEDS)
    def test(seed: int) -> None:
        random.seed(seed)  # how long the engine pauses
        loop = VirtualLoop()
        try:
            loop.run_until_complete(story(Far(random.Random(seed))))
        finally:
            loop.close()

    test.__doc__ = story.__doc__
    return test


def begun(far: Far, desired: Sequence[Resource], weather: Weather = CALM) -> Process:
    process = Process(far, f"d{len(far.names)}", weather, near=True)
    far.names.append(process.name)
    process.deploy(desired)
    return process


async def up(far: Far, desired: Sequence[Resource], weather: Weather = CALM) -> Outcome:
    process = begun(far, desired, weather)
    await process.wait()
    if process.error is not None:
        raise process.error
    outcome: Outcome = process.result[1].outcome
    return outcome


async def dies(far: Far, desired: Sequence[Resource], boundary: str) -> None:
    """Deploy, and die as soon as `boundary` was crossed."""
    process = begun(far, desired)
    while boundary not in process.crossed:
        assert not process.over
        await asyncio.sleep(0.01)
    await process.kill()


async def recorded(far: Far) -> set[str]:
    state = await State.open(far.store, PROJECT)
    assert state.pending == ()
    return {record.id for record in state.recorded.values()}


@pytest.mark.parametrize("type_", ["service", "legacy"])
def test_a_create_that_is_still_under_way_when_its_sender_died(type_: str) -> None:
    async def story(far: Far) -> None:
        await dies(far, [a(type_, "x")], f"before create app/{type_}/x")
        assert far.cloud.things == {}
        assert await up(far, [a(type_, "x")]) is Outcome.SUCCEEDED
        await asyncio.sleep(20)
        assert len(far.cloud.things) == 1
        assert await recorded(far) == set(far.cloud.things)

    for seed in SEEDS:
        told(story)(seed)


@told
async def test_a_delete_that_is_still_under_way_and_not_wanted_any_more(far: Far) -> None:
    web = a("service", "web")
    await up(far, [web])
    await dies(far, [], "before delete app/service/web")
    assert await up(far, [web]) is Outcome.SUCCEEDED
    await asyncio.sleep(20)
    assert len(far.cloud.things) == 1
    assert await recorded(far) == set(far.cloud.things)


@told
async def test_what_was_just_made_and_does_not_show_yet_is_not_made_again(far: Far) -> None:
    project = [a("legacy", f"s{n}") for n in range(5)]
    await up(far, project)
    assert await up(far, project) is Outcome.SUCCEEDED
    assert [verb for verb, _ in far.cloud.calls] == ["create"] * 5


@told
async def test_what_was_just_changed_and_reads_as_before_is_not_changed_back(far: Far) -> None:
    await up(far, [a("service", "web", domain="one")])
    await up(far, [a("service", "web", domain="two")])
    await up(far, [a("service", "web", domain="two")])
    (record,) = (await State.open(far.store, PROJECT)).recorded.values()
    assert record.outputs["address"] == "web.two"


@told
async def test_a_create_whose_reply_was_lost_is_looked_for_before_it_is_called_again(far: Far) -> None:
    outcome = await up(far, [a("legacy", f"s{n}") for n in range(4)], Weather(lost=0.4, unsent=0.2))
    assert await recorded(far) == set(far.cloud.things)
    assert len(far.cloud.things) == 4 or outcome is Outcome.FAILED


@told
async def test_what_a_failed_create_left_is_found_though_it_shows_late(far: Far) -> None:
    outcome = await up(far, [a("service", "web")], Weather(broken=1.0))
    assert outcome is Outcome.FAILED
    assert len(far.cloud.things) == 1
    assert await recorded(far) == set(far.cloud.things)
    assert await up(far, [a("service", "web")]) is Outcome.SUCCEEDED
    assert len(far.cloud.things) == 1


@told
async def test_an_answer_of_the_store_that_is_cut_short_is_asked_for_again(far: Far) -> None:
    await up(far, [a("service", "web")])
    for _ in range(3):
        assert await up(far, [a("service", "web")], Weather(store_torn=0.05)) is Outcome.SUCCEEDED


@told
async def test_a_stopped_process_that_wakes_up_does_nothing_more(far: Far) -> None:
    project = [a("service", f"s{n}", needs=None) for n in range(20)]
    sleeper = begun(far, project)
    for _ in range(100):
        await asyncio.sleep(0.1)
        if len(far.cloud.things) >= 4:
            break
    sleeper.stop()
    assert await up(far, project) is Outcome.SUCCEEDED
    calls, writes = len(far.cloud.calls), len(far.store.writes)
    sleeper.go_on()
    await sleeper.wait()
    assert type(sleeper.error).__name__ == "LeaseLostError"
    assert (len(far.cloud.calls), len(far.store.writes)) == (calls, writes)
    assert await recorded(far) == set(far.cloud.things)
    assert len(far.cloud.things) == 20

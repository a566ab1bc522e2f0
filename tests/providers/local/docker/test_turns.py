"""Containers are made one after the other and looked at together, and what takes its time holds nobody up for long."""

from __future__ import annotations

import asyncio

from defang_nb.providers.local.docker.engine import Starts, Turns


async def test_one_after_the_other_as_they_came() -> None:
    turns, told = Turns(60.0), list[str]()

    async def go(name: str) -> None:
        async with turns.next():
            told.append(f"{name} begins")
            for _ in range(5):
                await asyncio.sleep(0)
            told.append(f"{name} ends")

    await asyncio.gather(*(go(name) for name in "abc"))
    assert told == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]


async def test_what_takes_long_holds_up_the_next_for_a_while_only() -> None:
    turns, slow_may_end, slow_ended = Turns(0.01), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with turns.next():
            await slow_may_end.wait()
        slow_ended.set()

    first = asyncio.create_task(slow())
    await asyncio.sleep(0)
    turns._longest = 60.0
    async with asyncio.timeout(20), turns.next():  # gets its turn though the slow one is not done
        fourth = asyncio.create_task(turns.next().__aenter__())
        slow_may_end.set()
        await slow_ended.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not fourth.done()  # that the slow one ends gives nobody else's turn away
    async with asyncio.timeout(20):
        await fourth
    await first


async def test_who_gives_up_gives_its_turn_on() -> None:
    turns = Turns(60.0)

    async def fail() -> None:
        async with turns.next():
            raise RuntimeError

    async def never() -> None:
        async with turns.next():
            await asyncio.Event().wait()

    failed = asyncio.create_task(fail())
    running, waiting = asyncio.create_task(never()), asyncio.create_task(never())
    await asyncio.wait({failed})
    waiting.cancel()
    running.cancel()
    await asyncio.wait({running, waiting})
    async with asyncio.timeout(20), turns.next():
        assert isinstance(failed.exception(), RuntimeError)


async def test_those_who_are_started_wait_for_the_last_one() -> None:
    starts, last_may_end = Starts(60.0), asyncio.Event()

    async def last() -> None:
        with starts.one():
            await last_may_end.wait()

    assert not await starts.others()  # nobody to wait for
    under_way = asyncio.create_task(last())
    await asyncio.sleep(0)
    first, second = (asyncio.create_task(starts.others()) for _ in range(2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not first.done()
    first.cancel()
    last_may_end.set()
    async with asyncio.timeout(20):
        await asyncio.wait({first, under_way})
        assert await second  # whoever gave up before took nobody along
        assert not await starts.others()


async def test_a_start_that_takes_long_is_not_waited_for() -> None:
    starts = Starts(0.01)
    with starts.one():
        async with asyncio.timeout(20):
            assert await starts.others()
            assert await starts.others()  # nor is the next one held up by a time that is over

"""cd waits for what is on its way, for as long as its sender is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from defang_nb.errors import BuildError
from defang_nb.model.events import StepFinished, StepStarted, StepStatus
from defang_nb.model.plan import Action
from defang_nb.model.resource import Resource
from defang_nb.providers.uploads import BEAT, Arrivals, Failure, Note, note_key, tell
from tests.provision.memory import MemoryStore
from tests.provision.virtual import LoopClock, VirtualLoop

KEY, OTHER = "contexts/1.tar.gz", "contexts/2.tar.gz"
IMAGE = Resource(urn="shop/image/web", type="image", inputs={"source": {"context_key": KEY}})
ANOTHER = Resource(urn="shop/image/api", type="image", inputs={"source": {"context_key": OTHER}})
SERVICE = Resource(urn="shop/service/web", type="service", inputs={"image": "shop/web"})


def run(scenario: Coroutine[None, None, float]) -> float:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(scenario)
    finally:
        loop.close()


class Counting(MemoryStore):
    asked = 0

    async def list(self, prefix: str) -> list[str]:
        self.asked += 1
        return await super().list(prefix)


async def _send(store: MemoryStore, beats: int) -> None:
    """At work for so many beats; then it is there."""
    for beat in range(beats):
        await tell(store, "d1", Note(beat=beat))
        await asyncio.sleep(BEAT)
    await store.put(KEY, b"archive")


def test_a_long_upload_is_waited_for_and_looked_for_ever_more_rarely() -> None:
    said: list[str] = []

    async def scenario() -> float:
        store = Counting()
        arrivals = Arrivals(store, "d1", (KEY,), said.append, LoopClock())
        sending = asyncio.create_task(_send(store, 60))
        await asyncio.gather(*(arrivals.of(IMAGE) for _ in range(5)))
        await sending
        assert store.asked < 130, "five that wait look together"
        await arrivals.end()
        assert note_key("d1") not in store.objects
        assert said == ["uploading build contexts", ""]
        return asyncio.get_running_loop().time()

    assert 300 <= run(scenario()) < 310


def test_what_needs_nothing_of_it_does_not_wait() -> None:
    said: list[str] = []

    async def scenario() -> float:
        await Arrivals(MemoryStore(), "d1", (KEY, OTHER), said.append, LoopClock()).of(SERVICE)
        return asyncio.get_running_loop().time()

    assert run(scenario()) == 0
    assert said == []


def test_a_sender_that_has_gone_is_not_waited_for() -> None:
    said: list[str] = []

    async def scenario() -> float:
        store = MemoryStore()
        await tell(store, "d1", Note(beat=7))
        with pytest.raises(BuildError, match="was not uploaded: who was at it is gone"):
            await Arrivals(store, "d1", (KEY,), said.append, LoopClock()).of(IMAGE)
        return asyncio.get_running_loop().time()

    assert 60 < run(scenario()) < 70


def test_a_sender_that_sleeps_is_waited_for_while_something_else_is_at_work() -> None:
    said: list[str] = []
    database = "shop/database/db"

    async def scenario() -> float:
        store = MemoryStore()
        arrivals = Arrivals(store, "d1", (KEY, OTHER), said.append, LoopClock())
        await tell(store, "d1", Note())
        hear = arrivals.hearing(lambda payload: None)
        hear(StepStarted(urn=database, action=Action.CREATE))
        one, other = asyncio.create_task(arrivals.of(IMAGE)), asyncio.create_task(arrivals.of(ANOTHER))
        await asyncio.sleep(300)
        await tell(store, "d1", Note(beat=1))
        await store.put(KEY, b"archive")
        await one
        await asyncio.sleep(300)
        assert not other.done()
        hear(StepFinished(urn=database, action=Action.CREATE, status=StepStatus.DONE))
        with pytest.raises(BuildError, match="who was at it is gone"):
            await other
        silent = "uploading build contexts: who is at it has been silent for a while"
        assert said == ["uploading build contexts", silent] * 2
        return asyncio.get_running_loop().time()

    assert 600 < run(scenario()) < 610


def test_what_its_sender_failed_with_is_told() -> None:
    said: list[str] = []

    async def scenario() -> float:
        store = MemoryStore()
        await tell(store, "d1", Note(failures={KEY: Failure("a.txt is gone", "put it back")}))
        with pytest.raises(BuildError, match=r"a\.txt is gone") as caught:
            await Arrivals(store, "d1", (KEY,), said.append, LoopClock()).of(IMAGE)
        assert caught.value.hint == "put it back"
        return asyncio.get_running_loop().time()

    assert run(scenario()) == 0


def test_one_failure_is_no_other_ones() -> None:
    said: list[str] = []

    async def scenario() -> float:
        store = MemoryStore()
        await tell(store, "d1", Note())
        arrivals = Arrivals(store, "d1", (KEY, OTHER), said.append, LoopClock())
        other = asyncio.create_task(arrivals.of(ANOTHER))
        one = asyncio.create_task(arrivals.of(IMAGE))
        await asyncio.sleep(BEAT)
        await tell(store, "d1", Note(beat=1, failures={KEY: Failure("a.txt is gone", "put it back")}))
        with pytest.raises(BuildError, match=r"a\.txt is gone"):
            await one
        assert not other.done()
        await store.put(OTHER, b"archive")
        await other
        assert said == ["uploading build contexts", ""]
        return asyncio.get_running_loop().time()

    assert run(scenario()) < 60

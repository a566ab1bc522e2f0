"""State: what was appended is what is read, whoever died; and who was taken for dead can write no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from defang_nb.errors import LeaseHeldError, ProviderError
from defang_nb.model.plan import Action
from defang_nb.model.resource import Recorded
from defang_nb.provision.journal import Begin, End
from defang_nb.provision.lease import Lease
from defang_nb.provision.state import SNAPSHOT_AFTER, State, base_urn, retired_urn
from tests.provision.memory import MemoryStore
from tests.provision.run import OWNER, Forever


class Stack:
    """A store, and leases over it whose holders never seem dead before a test says so."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = Forever()

    @asynccontextmanager
    async def opened(self, clock: Forever | None = None) -> AsyncIterator[State]:
        """`clock` is of a holder whose own time does not pass: it never learns by itself that it is late."""
        async with Lease(self.store, "app", deployment="d", owner=OWNER, clock=clock or self.clock) as lease:
            yield await State.open(self.store, "app", lease=lease)

    def objects(self, prefix: str) -> list[str]:
        return [key.removeprefix("projects/app/state/") for key in sorted(self.store.objects) if f"/state/{prefix}" in key]


@pytest.fixture
def stack() -> Stack:
    return Stack()


def record(name: str, id_: str = "1") -> Recorded:
    return Recorded(urn=f"app/service/{name}", type="service", id=id_, inputs={"list": (1, 2)}, input_hash="h")


def end(name: str, recorded: Recorded | None = None, token: str = "") -> End:
    return End(urn=f"app/service/{name}", recorded=recorded, deployment="d", time=1.0, token=token)


def begin(name: str, token: str) -> Begin:
    return Begin(token=token, urn=f"app/service/{name}", action=Action.CREATE, deployment="d", time=1.0)


async def test_what_was_appended_is_what_is_read(stack: Stack) -> None:
    async with stack.opened() as state:
        await state.append(begin("web", "t1"), begin("db", "t2"))
        await state.append(end("web", record("web"), "t1"))
        await state.append(end("gone", record("gone")))
        await state.append(end("gone"))
        reopened = await State.open(stack.store, "app")
        assert reopened.recorded == state.recorded
        assert set(reopened.recorded) == {"app/service/web"}
        assert reopened.pending == state.pending == (begin("db", "t2"),)


async def test_looking_writes_nothing(stack: Stack) -> None:
    state = await State.open(stack.store, "app")
    await state.append(end("web", record("web")))
    assert set(state.recorded) == {"app/service/web"}
    assert stack.store.objects == {}
    async with stack.opened():
        pass
    assert stack.objects("") == []


async def test_a_retired_one_is_recorded_beside_its_replacement(stack: Stack) -> None:
    old, new = record("web", "1"), record("web", "2")
    async with stack.opened() as state:
        await state.append(end("web", old))
        await state.append(End(urn=old.urn, recorded=new, retired=old, deployment="d", time=1.0))
        assert {urn: each.id for urn, each in state.recorded.items()} == {new.urn: "2", retired_urn(old): "1"}
        assert base_urn(retired_urn(old)) == old.urn


async def test_entries_that_come_while_a_write_is_under_way_share_the_next(stack: Stack) -> None:
    async with stack.opened() as state:
        await asyncio.gather(*(state.append(end(f"s{n}", record(f"s{n}"))) for n in range(100)))
        assert len(state.recorded) == 100
        assert len(stack.objects("journal/")) < 5
    assert len((await State.open(stack.store, "app")).recorded) == 100


async def test_what_may_wait_is_written_with_what_comes_next(stack: Stack) -> None:
    async with stack.opened() as state:
        await state.append(begin("web", "t"))
        written = stack.objects("journal/")
        await state.append_soon(end("web", record("web"), "t"))
        assert set(state.recorded) == {"app/service/web"}
        assert stack.objects("journal/") == written
        dead = await State.open(stack.store, "app")
        assert (set(dead.recorded), [each.token for each in dead.pending]) == (set(), ["t"])
        await state.append(end("db", record("db")))
        assert len(stack.objects("journal/")) == len(written) + 1
        assert (await State.open(stack.store, "app")).recorded == state.recorded


async def test_what_may_wait_is_written_when_nothing_comes(stack: Stack) -> None:
    stored = asyncio.Event()
    async with stack.opened() as state:
        stack.store.after = lambda verb, key: stored.set() if "/journal/" in key else None
        await state.append_soon(end("web", record("web")))
        await asyncio.wait_for(stored.wait(), 20)
        await state.append_soon(end("db", record("db")))
        await state.drain()
        assert (await State.open(stack.store, "app")).recorded == state.recorded
        assert set(state.recorded) == {"app/service/web", "app/service/db"}


async def test_that_what_may_wait_can_not_be_written_shows_at_the_next(stack: Stack) -> None:
    async with stack.opened() as state:
        stack.store.before = broken
        await state.append_soon(end("web", record("web")))
        await state.drain()
        with pytest.raises(ProviderError, match="no network"):
            await state.append(end("db", record("db")))
        stack.store.before = lambda verb, key: None


def broken(verb: str, key: str) -> None:
    if "/journal/" in key:
        raise ProviderError("no network")


async def test_a_long_journal_becomes_a_snapshot(stack: Stack) -> None:
    async with stack.opened() as state:
        await state.append(begin("lost", "t"))
        for n in range(SNAPSHOT_AFTER + 1):
            await state.append(end(f"s{n}", record(f"s{n}")))
    async with stack.opened() as state:
        assert len(state.recorded) == SNAPSHOT_AFTER + 1
        await state.append(end("s0"))
    assert len(stack.objects("snapshots/")) == 1
    assert stack.objects("journal/00000001/") == ["journal/00000001/00000002-00000001"]
    state = await State.open(stack.store, "app")
    assert len(state.recorded) == SNAPSHOT_AFTER
    assert [each.token for each in state.pending] == ["t"]


async def test_nothing_but_the_head_is_written_twice(stack: Stack) -> None:
    for _ in range(3):
        async with stack.opened() as state:
            for n in range(SNAPSHOT_AFTER):
                await state.append(end("s", record("s", str(n))))
    writes = [key for key in stack.store.writes if not key.endswith(("/head", "/lease"))]
    assert len(writes) == len(set(writes))


async def test_who_was_taken_for_dead_can_write_no_more(stack: Stack) -> None:
    async with stack.opened(Forever()) as zombie:
        await zombie.append(begin("web", "t1"))
        stack.clock.time += 60.0
        async with stack.opened() as state:
            with pytest.raises(LeaseHeldError, match="took this project over"):
                await zombie.append(begin("db", "t2"))
            await state.append(end("cache", record("cache")))
            assert zombie.lost is not None
            assert zombie.lost.is_set()
    reopened = await State.open(stack.store, "app")
    assert [each.token for each in reopened.pending] == ["t1"]
    assert set(reopened.recorded) == {"app/service/cache"}


async def test_a_zombie_that_never_wrote_is_sealed_too(stack: Stack) -> None:
    stopped = Forever()
    async with stack.opened(stopped) as first:
        stack.clock.time = stopped.time = stopped.time + 60.0
        async with stack.opened(stopped) as second:
            stack.clock.time += 60.0
            async with stack.opened() as third:
                for zombie in (first, second):
                    with pytest.raises(LeaseHeldError):
                        await zombie.append(begin("web", "t"))
                await third.append(begin("web", "t"))


class Pausing(MemoryStore):
    """The first snapshot's write stands still until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        if "/snapshots/" in key and not self.reached.is_set():
            self.reached.set()
            await self.go.wait()
        return await super().put(key, data, if_match=if_match, if_absent=if_absent)


async def test_a_zombie_begins_no_generation(stack: Stack) -> None:
    stack.store = store = Pausing()
    async with stack.opened() as state:
        for n in range(SNAPSHOT_AFTER + 1):
            await state.append(end(f"s{n}", record(f"s{n}")))
    async with Lease(store, "app", deployment="z", owner=OWNER, clock=stack.clock) as lease:
        opening = asyncio.create_task(State.open(store, "app", lease=lease))
        await store.reached.wait()
        stack.clock.time += 60.0
        async with stack.opened() as state:
            await state.append(end("s0"))
            store.go.set()
            with pytest.raises(LeaseHeldError, match="took this project over"):
                await opening
            await state.append(end("s1"))
    assert len((await State.open(store, "app")).recorded) == SNAPSHOT_AFTER - 1


async def test_a_write_whose_reply_was_lost_counts_once(stack: Stack) -> None:
    async with stack.opened() as state:
        await state.append(begin("web", "t1"))
        fails = iter([True])

        def after(verb: str, key: str) -> None:
            if next(fails, False):
                raise ProviderError("the connection broke")

        stack.store.after = after
        with pytest.raises(ProviderError):
            await state.append(end("web", record("web"), "t1"))
        await state.append(end("web", record("web", "2"), "t1"))
        await state.append(end("db", record("db")))
    reopened = await State.open(stack.store, "app")
    assert {urn: each.id for urn, each in reopened.recorded.items()} == {"app/service/web": "2", "app/service/db": "1"}


async def test_a_cancelled_writer_leaves_no_half_entry(stack: Stack) -> None:
    async with stack.opened() as state:
        writing = asyncio.create_task(state.append(end("web", record("web"))))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await state.drain()
        await state.append(end("db", record("db")))
    assert set((await State.open(stack.store, "app")).recorded) == {"app/service/web", "app/service/db"}


async def test_a_later_version_s_journal_is_refused_in_words(stack: Stack) -> None:
    async with stack.opened() as state:
        await state.append(end("web", record("web")))
    await stack.store.put("projects/app/state/journal/00000000/00000001-00000002", b'[{"type":"dance"}]')
    with pytest.raises(ProviderError, match="can't be read") as caught:
        await State.open(stack.store, "app")
    assert caught.value.hint


async def test_the_version_names_what_was_read(stack: Stack) -> None:
    empty = await State.open(stack.store, "app")
    async with stack.opened() as state:
        assert state.version == empty.version
        await state.append(end("web", record("web")))
        assert state.version != empty.version
    assert (await State.open(stack.store, "app")).version == state.version

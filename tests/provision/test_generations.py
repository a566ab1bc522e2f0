"""A stack that lives long stays small, and no sleeper or looker is harmed by that; damage is never taken for true."""

from __future__ import annotations

import asyncio

import pytest

from defang_nb.errors import LeaseHeldError, ProviderError, StateDamagedError
from defang_nb.provision.lease import Lease
from defang_nb.provision.ports import Stored
from defang_nb.provision.state import SNAPSHOT_AFTER, State
from tests.provision.fakecloud import Crash
from tests.provision.memory import MemoryStore
from tests.provision.run import OWNER, Forever
from tests.provision.test_state import Stack, begin, end, record

STATE = "projects/app/state/"


@pytest.fixture
def stack() -> Stack:
    return Stack()


async def fill(stack: Stack, generations: int, name: str = "s") -> None:
    """As many deployments as make a generation each."""
    for n in range(generations):
        async with stack.opened() as state:
            for at in range(SNAPSHOT_AFTER + 1):
                await state.append(end(name, record(name, f"{n}.{at}")))
        await state.tidy()


async def test_a_stack_of_many_generations_is_no_larger_than_one_of_three(stack: Stack) -> None:
    await fill(stack, 3)
    few = len(stack.objects(""))
    await fill(stack, 6)
    assert len(stack.objects("")) == few
    assert (await State.open(stack.store, "app")).recorded["app/service/s"].id == f"5.{SNAPSHOT_AFTER}"


async def test_one_who_slept_through_generations_still_finds_its_seal(stack: Stack) -> None:
    stopped = Forever()
    zombie = Lease(stack.store, "app", deployment="z", owner=OWNER, clock=stopped)
    async with zombie:
        state = await State.open(stack.store, "app", lease=zombie)
        await state.append(begin("web", "t"))
        stack.clock.time += 60.0
        await fill(stack, 5)
        with pytest.raises(LeaseHeldError):
            await state.append(begin("web", "t2"))
    assert "journal/00000000/00000001-00000002" in stack.objects("journal/00000000/")


async def test_killed_at_any_moment_of_a_new_generation(stack: Stack) -> None:
    """Between the snapshot, the head and each of the deletions: what is read afterwards is the same, and litter goes later."""
    at, died = 0, True
    while died:
        stack = Stack()
        await fill(stack, 3)
        crossed = 0

        def cross(verb: str, key: str, last: int = at) -> None:
            nonlocal crossed
            crossed += key.startswith(STATE)
            if crossed > last:
                raise Crash

        stack.store.before = cross
        lease = Lease(stack.store, "app", deployment="d", owner=OWNER, clock=stack.clock)
        await lease.__aenter__()
        try:
            await (await State.open(stack.store, "app", lease=lease)).tidy()
            died = False
        except Crash:
            died = True
        stack.store.before = lambda verb, key: None
        lease._beating.cancel()  # type: ignore[union-attr]
        stack.clock.time += 60.0
        assert (await State.open(stack.store, "app")).recorded["app/service/s"].id == f"2.{SNAPSHOT_AFTER}"
        await fill(stack, 3)
        assert len(stack.objects("journal/0")) <= 2 * (SNAPSHOT_AFTER + 2) + 3
        assert len(stack.objects("snapshots/")) <= 3
        at += 9  # deletions go sixteen side by side
    assert at > SNAPSHOT_AFTER / 2


class Slow(MemoryStore):
    """Whoever lists the journal reads on only after `meanwhile`, once."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: Stack | None = None

    async def list(self, prefix: str) -> list[str]:
        found = await super().list(prefix)
        if "/journal/" in prefix and self.stack is not None:
            stack, self.stack = self.stack, None
            await fill(stack, 4)
        return found


async def test_a_looker_whose_generation_goes_away_reads_the_next(stack: Stack) -> None:
    stack.store = store = Slow()
    await fill(stack, 1)
    store.stack = stack
    assert (await State.open(store, "app")).recorded["app/service/s"].id == f"3.{SNAPSHOT_AFTER}"


async def written(stack: Stack) -> list[str]:
    await fill(stack, 1)
    async with stack.opened() as state:
        for n in range(3):
            await state.append(end("t", record("t", str(n))))
    return [key for key in sorted(stack.store.objects) if key.startswith(STATE)]


DAMAGES = {
    "emptied": lambda data: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "its end lost": lambda data: data[:-3],
    "one letter changed": lambda data: data.replace(b"service", b"sErvice", 1).replace(b'"epoch":', b'"epoch":1', 1),
    "overwritten": lambda data: b"\0" * len(data),
}


@pytest.mark.parametrize("how", DAMAGES)
async def test_damage_is_told_with_its_place_and_the_way_out(stack: Stack, how: str) -> None:
    keys = await written(stack)
    assert {key.split("/")[3] for key in keys} == {"head", "journal", "snapshots"}
    for key in [keys[0], keys[-2], keys[-1]]:
        sound = stack.store.objects[key]
        stack.store.objects[key] = Stored(data=DAMAGES[how](sound.data), version="x")
        with pytest.raises(StateDamagedError, match=key) as caught:
            await State.open(stack.store, "app")
        assert "stack repair" in caught.value.hint
        stack.store.objects[key] = sound
    await State.open(stack.store, "app")


async def test_a_missing_object_is_told(stack: Stack) -> None:
    keys = await written(stack)
    for key in (keys[-4], keys[-3], keys[-1]):  # two of three entries, and the snapshot
        sound = stack.store.objects.pop(key)
        with pytest.raises(StateDamagedError, match=f"{key} can't be read: it is missing"):
            await State.open(stack.store, "app")
        stack.store.objects[key] = sound


async def test_what_a_later_version_wrote_is_no_damage(stack: Stack) -> None:
    from defang_nb.provision.objects import pack

    await written(stack)
    stack.store.objects[STATE + "journal/00000001/00000002-00000004"] = Stored(data=pack([{"type": "dance"}]), version="x")
    with pytest.raises(ProviderError, match="later version") as caught:
        await State.open(stack.store, "app")
    assert caught.value.hint == "update defang-nb"
    assert not isinstance(caught.value, StateDamagedError)


async def test_what_the_first_versions_wrote_is_read(stack: Stack) -> None:
    await written(stack)
    for key, stored in list(stack.store.objects.items()):
        stack.store.objects[key] = Stored(data=stored.data.partition(b"\n")[0], version=stored.version)
    async with stack.opened() as state:
        assert state.recorded["app/service/t"].id == "2"


async def test_one_who_slept_and_was_not_missed_goes_on(stack: Stack) -> None:
    async with stack.opened() as state:
        await state.append(begin("web", "t"))
        stack.clock.time += 600.0
        await state.append(end("web", record("web"), "t"))
        await state.confirm()
    assert set((await State.open(stack.store, "app")).recorded) == {"app/service/web"}


async def test_one_who_slept_and_was_missed_learns_it_before_the_next_call(stack: Stack) -> None:
    async with stack.opened() as late:
        stack.clock.time += 60.0
        async with stack.opened():
            with pytest.raises(LeaseHeldError, match="took this project over"):
                await late.confirm()
    await asyncio.sleep(0)

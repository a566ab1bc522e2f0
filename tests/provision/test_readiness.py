"""How many calls run at a time for each API, and how often is asked whether something is ready: on a virtual clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.events import Outcome
from defang_nb.model.resource import Need, Resource
from defang_nb.provision.executor import Applied
from defang_nb.provision.lease import Lease
from defang_nb.provision.ports import ApiClass, Made, ResourceType, TransientError, Waiting
from tests.provision.fakecloud import PROJECT, Cloud, FakeType, Line, Story, a
from tests.provision.memory import MemoryStore
from tests.provision.run import OWNER, Forever, deploy
from tests.provision.virtual import LoopClock, VirtualLoop

T = TypeVar("T")
SECONDS = 10.0


def virtually(what: Callable[[], Awaitable[T]]) -> tuple[T, float]:
    """What comes of it, and the virtual seconds that it took."""

    async def run() -> tuple[T, float]:
        began = asyncio.get_running_loop().time()
        return await what(), asyncio.get_running_loop().time() - began

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


async def up(desired: Sequence[Resource], types: Mapping[str, ResourceType]) -> Applied:
    store = MemoryStore()
    lease = Lease(store, PROJECT, deployment="d1", owner=OWNER, clock=Forever())
    _, applied = await deploy(store, lease, types, desired, Story(), cancel=asyncio.Event(), clock=LoopClock())
    return applied


class Slow(FakeType):
    """Each create takes `SECONDS`; what runs at a time is counted for each class."""

    def __init__(self, line: Line, name: str, api: ApiClass, most: Counter[str]) -> None:
        super().__init__(line, name)
        self.api = api
        self._most = most
        self._running = 0

    async def create(self, operation: Any) -> Made:
        self._running += 1
        self._most[self.api.name] = max(self._most[self.api.name], self._running)
        await asyncio.sleep(SECONDS)
        self._running -= 1
        return await super().create(operation)


def test_each_class_of_calls_has_a_limit_of_its_own() -> None:
    most: Counter[str] = Counter()
    line = Line(Cloud())
    types = {
        "task": Slow(line, "task", ApiClass("tasks", 2), most),
        "rule": Slow(line, "rule", ApiClass("rules", 20), most),
    }
    desired = [a("task", f"t{n}") for n in range(10)] + [a("rule", f"r{n}") for n in range(40)]
    applied, seconds = virtually(lambda: up(desired, types))
    assert applied.outcome is Outcome.SUCCEEDED
    assert most == {"tasks": 2, "rules": 20}
    assert seconds == pytest.approx(5 * SECONDS, abs=0.1), "the slowest class alone says how long it takes"


def test_types_of_one_class_share_its_limit() -> None:
    line, most, api = Line(Cloud()), Counter[str](), ApiClass("shared", 3)
    types = {name: Slow(line, name, api, most) for name in ("task", "rule")}
    desired = [a(name, f"{name}{n}") for name in types for n in range(6)]
    _, seconds = virtually(lambda: up(desired, types))
    assert seconds == pytest.approx(12 / 3 * SECONDS, abs=0.1)


class Batch(FakeType):
    """Ready so many seconds after it was made (input `after`); asked about all at once."""

    def __init__(self, line: Line) -> None:
        super().__init__(line, "batch")
        self.rounds: list[tuple[float, int]] = []
        self.throttles = 0

    async def ready(self, operation: Any, made: Made) -> Mapping[str, Any]:
        raise AssertionError("nobody asks about one alone")

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Any] | DefangError]:
        self.rounds.append((asyncio.get_running_loop().time(), len(waiting)))
        if self.throttles:
            self.throttles -= 1
            raise TransientError("slow down", after=1.0, refused=True)
        answers: dict[str, Mapping[str, Any] | DefangError] = {}
        for each in waiting:
            resource = each.operation.resource
            if resource.inputs.get("broken") and each.seconds > 3:
                answers[resource.urn] = ProviderError("never became healthy")
            elif not resource.inputs.get("broken") and each.seconds >= resource.inputs["after"]:
                answers[resource.urn] = {"address": "here"}
        return answers


@pytest.mark.parametrize("count", [1, 200])
def test_all_that_wait_are_asked_about_in_one_read_a_round(count: int) -> None:
    batch = Batch(Line(Cloud()))
    applied, seconds = virtually(lambda: up([a("batch", f"b{n}", after=60.0) for n in range(count)], {"batch": batch}))
    assert applied.outcome is Outcome.SUCCEEDED
    assert len(batch.rounds) <= 18, "half-second polling would be 120 reads for each"
    assert {asked for _, asked in batch.rounds} == {count}
    pauses = [later - sooner for (sooner, _), (later, _) in zip(batch.rounds, batch.rounds[1:], strict=False)]
    assert pauses == pytest.approx(sorted(pauses), abs=0.01), "more and more rarely"
    assert batch.rounds[0][0] == pytest.approx(0.5, abs=0.1)
    assert max(pauses) == pytest.approx(5.0, abs=0.01)
    assert 60.0 <= seconds <= 65.5


def test_who_will_never_be_ready_fails_alone() -> None:
    batch = Batch(Line(Cloud()))
    desired = [a("batch", "good", after=20.0), a("batch", "bad", after=1.0, broken=True)]
    applied, _ = virtually(lambda: up(desired, {"batch": batch}))
    assert applied.outcome is Outcome.FAILED
    assert {urn: error.message for urn, error in applied.failed.items()} == {"app/batch/bad": "never became healthy"}


def test_a_throttled_question_is_asked_again() -> None:
    batch = Batch(Line(Cloud()))
    batch.throttles = 3
    applied, _ = virtually(lambda: up([a("batch", "one", after=2.0)], {"batch": batch}))
    assert applied.outcome is Outcome.SUCCEEDED


def test_who_comes_later_is_asked_about_soon() -> None:
    batch = Batch(Line(Cloud()))
    slow = Slow(Line(batch.cloud), "task", ApiClass("tasks", 1), Counter())
    early, late = a("batch", "early", after=60.0), a("batch", "late", after=0.5, needs={"app/task/first": Need.READY})
    virtually(lambda: up([early, a("task", "first"), late], {"batch": batch, "task": slow}))
    assert any(SECONDS < when <= SECONDS + 1.2 and asked == 2 for when, asked in batch.rounds)

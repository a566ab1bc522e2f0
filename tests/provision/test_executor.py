"""Applying: what waits for what, what a failure stops, what is undone, what a cancel leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from defang_nb.errors import LeaseHeldError, ProviderError
from defang_nb.model.events import Outcome, StepFinished, StepMade, StepStarted, StepStatus
from defang_nb.model.plan import Action
from defang_nb.model.resource import Need
from defang_nb.model.value import ref
from defang_nb.provision.executor import observe, refresh
from defang_nb.provision.lease import Lease, lease_key
from defang_nb.provision.state import State
from tests.provision.fakecloud import PROJECT, FakeType, a
from tests.provision.run import OWNER, World


def finished(world: World) -> dict[str, tuple[StepStatus, str]]:
    return {it.urn.rsplit("/")[-1]: (it.status, it.message) for it in world.story.payloads if isinstance(it, StepFinished)}


class Gate:
    """Holds one call (or wait for readiness) until it is opened, and tells when it was reached."""

    def __init__(self, world: World, verb: str, name: str) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

        def hold(called: str, urn: str) -> asyncio.Event | None:
            if called == verb and urn.endswith(f"/{name}"):
                self.reached.set()
                return self.open
            return None

        world.cloud.hold = hold


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop run until nothing more can happen that would make `condition` true, and check it."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    assert condition()


async def test_tells_each_step_with_its_service_and_title() -> None:
    world = World()
    await world.deploy([a("service", "web")])
    assert world.story.payloads == [
        StepStarted(urn="app/service/web", action=Action.CREATE, service="web", title="web"),
        StepFinished(urn="app/service/web", action=Action.CREATE, status=StepStatus.DONE),
    ]


async def test_tells_when_what_is_made_is_only_waited_for() -> None:
    world = World()
    gate = Gate(world, "ready", "db")
    db = a("service", "db")
    deploying = asyncio.create_task(world.deploy([db]))
    await gate.reached.wait()
    await settled(lambda: world.story.payloads[-1] == StepMade(urn=db.urn))
    gate.open.set()
    await deploying
    assert [type(each) for each in world.story.payloads] == [StepStarted, StepMade, StepFinished]


async def test_what_is_ready_in_a_moment_is_written_down_once() -> None:
    """Its record as made waits for what comes next; its dependents, which may use its outputs, do not."""
    world = World()
    gate = Gate(world, "ready", "db")
    db = a("quick", "db")
    deploying = asyncio.create_task(world.deploy([db, a("service", "web", needs={db.urn: Need.CREATED}, db=ref(db.urn, "id"))]))
    await gate.reached.wait()
    await settled(lambda: StepMade(urn=db.urn) in world.story.payloads)
    assert world.journal_writes() == 1
    await settled(lambda: ("create", "app/service/web") in world.cloud.calls)
    assert {urn: each.ready for urn, each in (await world.recorded()).items()} == {db.urn: False}
    gate.open.set()
    await deploying
    assert {each.ready for each in (await world.recorded()).values()} == {True}


async def test_dependents_wait_for_as_much_as_they_need() -> None:
    world = World()
    gate = Gate(world, "ready", "db")
    db = a("service", "db")
    needs_created = a("service", "early", needs={db.urn: Need.CREATED})
    needs_ready = a("service", "late", needs={db.urn: Need.READY})
    needs_output = a("service", "output", db=ref(db.urn, "address"))
    deploying = asyncio.create_task(world.deploy([db, needs_created, needs_ready, needs_output]))
    await gate.reached.wait()
    await settled(lambda: ("create", needs_created.urn) in world.cloud.calls)
    assert ("create", needs_ready.urn) not in world.cloud.calls
    assert ("create", needs_output.urn) not in world.cloud.calls
    gate.open.set()
    assert (await deploying).outcome is Outcome.SUCCEEDED
    assert world.cloud.of(needs_output.urn)[0]["inputs"] == {"db": "db.local"}


async def test_a_failure_stops_its_dependents_and_nothing_else() -> None:
    world = World()
    db = a("service", "db", fail="create")
    web = a("service", "web", needs={db.urn: Need.READY})
    proxy = a("service", "proxy", needs={web.urn: Need.READY})
    applied = await world.deploy([db, web, proxy, a("service", "other")])
    assert applied.outcome is Outcome.FAILED
    assert {urn: str(error) for urn, error in applied.failed.items()} == {db.urn: "create refused"}
    assert set(applied.skipped) == {web.urn, proxy.urn}
    assert finished(world) == {
        "db": (StepStatus.FAILED, "create refused"),
        "web": (StepStatus.SKIPPED, "db failed"),
        "proxy": (StepStatus.SKIPPED, "db failed"),
        "other": (StepStatus.DONE, ""),
    }
    assert set(await world.recorded()) == {"app/service/other"}


async def test_a_new_one_that_never_gets_ready_stays_and_the_next_up_repairs_it() -> None:
    world = World()
    applied = await world.deploy([a("service", "web", fail="ready")])
    assert str(applied.failed["app/service/web"]) == "never became healthy"
    record = (await world.recorded())["app/service/web"]
    assert not record.ready
    applied = await world.deploy([a("service", "web", fail="ready")])
    assert world.plan.steps[0].cause == "was never ready"
    assert (await world.deploy([a("service", "web")])).outcome is Outcome.SUCCEEDED
    assert (await world.recorded())["app/service/web"].id == record.id


@pytest.mark.parametrize("verb", ["update", "ready"])
async def test_a_failed_update_is_rolled_back(verb: str) -> None:
    world = World()
    await world.deploy([a("service", "web", env="old")])
    before = await world.recorded()
    applied = await world.deploy([a("service", "web", env="new", fail=verb)])
    assert applied.outcome is Outcome.FAILED
    status, message = finished(world)["web"]
    assert status is StepStatus.ROLLED_BACK
    assert message == f"{applied.failed['app/service/web'].message}; it is as it was before"
    assert applied.rolled_back == ("app/service/web",)
    assert world.cloud.of("app/service/web")[0]["inputs"] == {"env": "old"}
    after = await world.recorded()
    assert (after["app/service/web"].inputs, after["app/service/web"].ready) == (before["app/service/web"].inputs, True)
    assert (await world.deploy([a("service", "web", env="old")])).outcome is Outcome.SUCCEEDED
    assert world.plan.mutations == ()


@pytest.mark.parametrize("verb", ["update", "ready"])
async def test_a_deed_that_failed_is_not_undone_by_doing_the_one_before_again(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    monkeypatch.setattr(FakeType, "once", True, raising=False)
    await world.deploy([a("service", "migrate", version=1)])
    applied = await world.deploy([a("service", "migrate", version=2, fail=verb)])
    assert (applied.outcome, applied.rolled_back) == (Outcome.FAILED, ())
    assert finished(world)["migrate"][0] is StepStatus.FAILED
    assert not (await world.recorded())["app/service/migrate"].ready
    assert (await world.deploy([a("service", "migrate", version=2)])).outcome is Outcome.SUCCEEDED


async def test_a_rollback_that_fails_says_so_and_is_repaired_later() -> None:
    world = World()
    await world.deploy([a("service", "web", env="old")])
    gate = Gate(world, "ready", "web")

    async def break_it() -> None:
        await gate.reached.wait()
        world.cloud.things.clear()
        gate.open.set()

    breaking = asyncio.create_task(break_it())
    applied = await world.deploy([a("service", "web", env="new")])
    await breaking
    assert finished(world)["web"][0] is StepStatus.FAILED
    assert "going back to what it was failed too" in str(applied.failed["app/service/web"])
    world.cloud.hold = lambda verb, urn: None
    assert (await world.deploy([a("service", "web", env="new")])).outcome is Outcome.SUCCEEDED
    assert len(world.cloud.things) == 1


@pytest.mark.parametrize("verb", ["create", "ready"])
@pytest.mark.parametrize("type_", ["net", "disk"])
async def test_a_failed_replacement_is_rolled_back(type_: str, verb: str) -> None:
    world = World()
    await world.deploy([a(type_, "x", zone="a")])
    applied = await world.deploy([a(type_, "x", zone="b", fail=verb)])
    assert applied.outcome is Outcome.FAILED
    assert finished(world)["x"][0] is StepStatus.ROLLED_BACK
    (thing,) = world.cloud.things.values()
    assert thing["inputs"] == {"zone": "a"}
    assert set(await world.recorded()) == {f"app/{type_}/x"}
    await world.deploy([a(type_, "x", zone="a")])
    assert world.plan.mutations == ()


async def test_a_replaced_one_goes_last_and_stays_when_its_user_failed() -> None:
    world = World()
    net = a("net", "n", zone="a")
    await world.deploy([net, a("service", "web", net=ref(net.urn, "id"))])
    net = a("net", "n", zone="b")
    applied = await world.deploy([net, a("service", "web", net=ref(net.urn, "id"), fail="update")])
    assert set(applied.failed) == {"app/service/web"}
    assert len(world.cloud.of(net.urn)) == 2
    assert (await world.deploy([net, a("service", "web", net=ref(net.urn, "id"))])).outcome is Outcome.SUCCEEDED
    assert len(world.cloud.of(net.urn)) == 1
    assert world.cloud.calls[-1] == ("delete", net.urn)


async def test_what_only_might_have_changed_is_kept_when_it_did_not() -> None:
    world = World()

    def project(label: str) -> list[Any]:
        db = a("service", "db", label=label)
        return [db, a("service", "web", db=ref(db.urn, "address"))]

    await world.deploy(project("1"))
    world.cloud.calls.clear()
    await world.deploy(project("2"))
    assert world.plan.count(Action.UPDATE) == 2
    assert world.cloud.calls == [("update", "app/service/db")]
    assert world.story.payloads[-1] == StepFinished(
        urn="app/service/web", action=Action.KEEP, status=StepStatus.DONE, message="unchanged"
    )


async def test_a_throttle_is_waited_out() -> None:
    world = World()
    assert (await world.deploy([a("service", "web", busy=3)])).outcome is Outcome.SUCCEEDED
    assert len(world.clock.slept) == 3
    assert min(world.clock.slept) >= 1.0
    assert len(world.cloud.things) == 1


async def test_a_throttle_that_never_ends_is_a_failure() -> None:
    world = World()
    applied = await world.deploy([a("service", "web", busy=99)])
    assert str(applied.failed["app/service/web"]) == "slow down"


async def test_a_bug_in_a_type_fails_its_step_only() -> None:
    world = World()
    world.cloud.hold = _raises_for("bad")
    applied = await world.deploy([a("service", "bad"), a("service", "good")])
    assert isinstance(applied.failed["app/service/bad"], ProviderError)
    assert "KeyError" in str(applied.failed["app/service/bad"])
    assert set(await world.recorded()) == {"app/service/good"}


def _raises_for(name: str) -> Callable[[str, str], None]:
    def hold(verb: str, urn: str) -> None:
        if urn.endswith(f"/{name}"):
            raise KeyError(verb)

    return hold


async def test_a_cancel_lets_a_running_call_finish_and_begins_nothing_more() -> None:
    world, cancel = World(), asyncio.Event()
    gate = Gate(world, "create", "db")
    db = a("service", "db")
    project = [db, a("service", "web", needs={db.urn: Need.CREATED})]
    deploying = asyncio.create_task(world.deploy(project, cancel=cancel))
    await gate.reached.wait()
    cancel.set()
    await asyncio.sleep(0)
    assert not deploying.done()
    gate.open.set()
    applied = await deploying
    assert applied.outcome is Outcome.CANCELLED
    assert ("create", "app/service/web") not in world.cloud.calls
    assert set(await world.recorded()) == {db.urn}
    assert (await world.deploy(project)).outcome is Outcome.SUCCEEDED
    assert len(world.cloud.things) == 2


@pytest.mark.parametrize(("type_", "verb"), [("image", "create"), ("service", "ready")])
async def test_a_cancel_abandons_what_may_be(type_: str, verb: str) -> None:
    world, cancel = World(), asyncio.Event()
    gate = Gate(world, verb, "x")
    deploying = asyncio.create_task(world.deploy([a(type_, "x")], cancel=cancel))
    await gate.reached.wait()
    cancel.set()
    applied = await deploying
    assert applied.outcome is Outcome.CANCELLED
    assert finished(world)["x"] == (StepStatus.SKIPPED, "cancelled while it ran")
    assert (applied.abandoned, applied.skipped) == ((f"app/{type_}/x",), ())
    assert (await State.open(world.store, PROJECT)).pending == ()
    assert {each.id for each in (await world.recorded()).values()} == set(world.cloud.things)


async def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    world, cancel = World(), asyncio.Event()
    gate = Gate(world, "ready", "web")
    gate.open.set()
    deploying = asyncio.create_task(world.deploy([a("service", "web")], cancel=cancel))
    await settled(lambda: "web" in finished(world))
    cancel.set()
    assert (await deploying).outcome is Outcome.SUCCEEDED


async def test_when_the_lease_is_lost_nothing_more_begins() -> None:
    world = World()
    gate = Gate(world, "create", "db")
    db = a("service", "db")
    project = [db, a("service", "web", needs={db.urn: Need.CREATED})]
    deploying = asyncio.create_task(world.deploy(project))
    await gate.reached.wait()
    world.beats.time += 60.0
    async with Lease(world.store, PROJECT, deployment="other", owner=OWNER, clock=world.beats) as lease:
        state = await State.open(world.store, PROJECT, lease=lease)
        assert [begin.urn for begin in state.pending] == [db.urn]
        gate.open.set()
        with pytest.raises(LeaseHeldError, match="took this project over"):
            await deploying
        assert world.cloud.calls == [("create", db.urn)]
    assert (await world.deploy(project)).outcome is Outcome.SUCCEEDED
    assert len(world.cloud.things) == 2
    assert await world.store.get(lease_key(PROJECT)) is not None


async def test_at_most_so_many_calls_at_a_time() -> None:
    world = World()
    running = most = 0
    original = world.cloud.called

    async def counted(verb: str, urn: str, inputs: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await original(verb, urn, inputs)
        running -= 1

    world.cloud.called = counted  # type: ignore[method-assign]
    await world.deploy([a("service", f"s{n}") for n in range(30)])
    assert most == 8


async def test_one_bulk_read_for_each_type() -> None:
    world = World()
    await world.deploy([a("service", f"s{n}") for n in range(5)] + [a("net", "n")])
    types = world.cloud.types()
    world.cloud.things.popitem()
    live = await observe(await world.recorded(), types)
    assert [types[name].reads for name in ("service", "net")] == [1, 1]
    assert sum(outputs is None for outputs in live.values()) == 1
    assert len(live) == 6


async def test_what_drifted_is_recorded_once() -> None:
    world = World()
    await world.deploy([a("service", "web")])
    world.cloud.of("app/service/web")[0]["outputs"]["address"] = "elsewhere"
    async with Lease(world.store, PROJECT, deployment="r", owner=OWNER, clock=world.beats) as lease:
        state = await State.open(world.store, PROJECT, lease=lease)
        live = await observe(state.recorded, world.cloud.types())
        assert list(await refresh(state, live, deployment="r")) == ["app/service/web"]
        assert await refresh(state, live, deployment="r") == {}
    assert (await world.recorded())["app/service/web"].outputs["address"] == "elsewhere"


async def test_a_new_title_of_what_is_kept_is_recorded_once() -> None:
    world = World()
    await world.deploy([a("disk", "data")])
    await world.deploy([a("disk", "data", protect=True)])
    assert world.plan.mutations == ()
    assert (await world.recorded())["app/disk/data"].protect
    writes = world.journal_writes()
    await world.deploy([a("disk", "data", protect=True)])
    assert world.journal_writes() == writes


async def test_a_replacement_whose_old_one_does_not_go_leaves_it_recorded() -> None:
    world = World()
    await world.deploy([a("disk", "data", zone="a", fail="delete")])
    applied = await world.deploy([a("disk", "data", zone="b")])
    assert finished(world)["data"] == (StepStatus.FAILED, "delete refused")
    assert set(applied.failed) == {"app/disk/data"}
    (record,) = (await world.recorded()).values()
    assert set(world.cloud.things) == {record.id}
    assert not record.ready

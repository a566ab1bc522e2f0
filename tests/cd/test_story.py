"""Stories: numbered without gaps, stored before they are shown, ended once, closed for whoever could not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from defang_nb.cd.server import Service, make_server
from defang_nb.cd.story import REMEMBERED, Story, close_abandoned
from defang_nb.errors import NotFoundError, ProviderError
from defang_nb.model.events import Event, Finished, Kind, LogLine, Outcome, ServiceChanged, ServiceState, Stage, StageChanged
from defang_nb.model.project import Project
from defang_nb.model.request import DeployRequest
from defang_nb.model.stack import Stack
from defang_nb.providers.history import History
from defang_nb.providers.local.store import FileStore
from defang_nb.wire import event_from_wire
from defang_nb.wire.generated import cd_pb2 as pb
from defang_nb.wire.generated import cd_pb2_grpc
from tests.provision.memory import MemoryStore


def request(deployment: str = "d1", project: str = "shop") -> DeployRequest:
    return DeployRequest(deployment=deployment, kind=Kind.UP, stack=Stack(), project=Project(name=project, services={}))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(FileStore(tmp_path / "store"))


async def begin(history: History, deployment: str = "d1", project: str = "shop") -> Story:
    return Story(history, await history.begin(request(deployment, project), 100.0), events=[])


async def told(story: Story, from_sequence: int = 1) -> list[Event]:
    return [event async for events in story.follow(from_sequence) for event in events]


async def test_everyone_hears_the_same_from_wherever_they_begin(history: History) -> None:
    story = await begin(history)
    early = asyncio.create_task(told(story))
    for number in range(50):
        story.tell(LogLine(service="web", line=str(number)))
        await asyncio.sleep(0)
    late = asyncio.create_task(told(story, 20))
    story.tell(StageChanged(stage=Stage.SETTLING))
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))
    events = await early
    assert [event.sequence for event in events] == list(range(1, 53))
    assert await late == events[19:]
    assert await told(story) == events
    assert await history.events("shop", "d1") == events
    assert await history.events("shop", "d1", 30) == events[29:]


async def test_a_long_story_is_read_from_the_store_and_not_held_in_memory(history: History) -> None:
    story = await begin(history)
    slow = story.follow(1)
    for number in range(3 * REMEMBERED):
        story.tell(ServiceChanged(service="web", state=ServiceState.DEPLOYMENT_PENDING, detail=str(number)))
        if number == 10:
            begun = list(await anext(slow))
            assert begun[0].sequence == 1
        if number % 500 == 0:
            story.tell(StageChanged(stage=Stage.PROVISIONING))
            await asyncio.sleep(0.01)
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))
    assert len(story._shown) == REMEMBERED
    events = await told(story)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert isinstance(events[-1].payload, Finished)
    assert begun + [event async for some in slow for event in some] == events
    assert await told(story, len(events)) == events[-1:]


async def test_what_the_store_did_not_take_is_shown_all_the_same_and_stored_later() -> None:
    store = MemoryStore()
    history = History(store)
    story = await begin(history)
    full = False

    def before(verb: str, key: str) -> None:
        if full:
            raise ProviderError("No space left on device")

    store.before = before
    for number in range(4):
        full = number == 1
        story.tell(LogLine(service="web", line=str(number)))
        story.tell(StageChanged(stage=Stage.PLANNING))
        await asyncio.sleep(0.01)
    full = True
    await story.finish(Finished(outcome=Outcome.FAILED, message="full"))
    events = await told(story)
    assert [event.sequence for event in events] == list(range(1, 10))
    assert not story.kept
    await story.keep_again()
    assert not story.kept
    full = False
    await story.keep_again()
    assert story.kept
    assert await history.events("shop", "d1") == events
    assert (await history.find("d1")).message == "full"
    assert await history.unfinished() == []


async def test_what_is_shown_is_stored_already(history: History) -> None:
    story = await begin(history)
    story.tell(LogLine(service="web", line="a"))
    first = await anext(aiter(story.follow(1)))
    assert await history.events("shop", "d1") == first
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))


async def test_many_lines_make_few_objects(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    story = await begin(History(store))
    for number in range(500):
        story.tell(LogLine(service="web", line=str(number)))
        await asyncio.sleep(0.0001)
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))
    assert len(await store.list("projects/shop/deployments/d1/events/")) <= 20


async def test_in_a_flood_lines_are_put_together_and_none_is_lost(history: History) -> None:
    story = await begin(history)
    for number in range(3000):
        for service in ("web", "api"):
            story.tell(LogLine(service=service, line=str(number)))
        if number % 1000 == 500:
            story.tell(ServiceChanged(service="web", state=ServiceState.DEPLOYMENT_PENDING, detail=str(number)))
        if number % 100 == 0:
            await asyncio.sleep(0.001)
    story.tell(LogLine(service="web", line="x" * 20_000))
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))
    events = await told(story)
    assert await history.events("shop", "d1") == events
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len(events) < 300
    seen: dict[str, list[str]] = {"web": [], "api": []}
    for event in events:
        match event.payload:
            case LogLine(service=service, line=line, more=more):
                seen[service] += [line, *more]
                assert len(more) == 0 or sum(map(len, (line, *more))) < 17_000
            case ServiceChanged(detail=detail):
                assert seen["web"][-1] == seen["api"][-1] == detail, "no line passes another event"
    numbers = [str(number) for number in range(3000)]
    assert seen == {"web": [*numbers, "x" * 20_000], "api": numbers}


async def test_there_is_one_end(history: History) -> None:
    story = await begin(history)
    await story.finish(Finished(outcome=Outcome.FAILED, message="first"))
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))
    story.tell(LogLine(service="web", line="late"))
    assert [event.payload for event in await told(story)] == [Finished(outcome=Outcome.FAILED, message="first")]
    [summary] = await history.latest()
    assert (summary.outcome, summary.message) == (Outcome.FAILED, "first")
    assert await history.unfinished() == []


async def test_times_never_run_backwards(history: History) -> None:
    class Clock:
        def __init__(self) -> None:
            self.times = [10.0, 5.0, 11.0]

        def now(self) -> float:
            return self.times.pop(0)

        async def sleep(self, seconds: float) -> None:
            raise NotImplementedError

    story = Story(history, await history.begin(request(), 1.0), events=[], clock=Clock())
    story.tell(LogLine(service="web", line="a"))
    story.tell(LogLine(service="web", line="b"))
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))
    assert [event.time for event in await told(story)] == [10.0, 10.0, 11.0]


async def test_many_long_lines_at_once_reach_who_watches(history: History, tmp_path: Path) -> None:
    """More of them than fit into one message, for a client that takes gRPC's usual 4 MiB."""
    story = await begin(history)
    for number in range(40):
        story.tell(LogLine(service=f"s{number}", line="x" * 200_000))
    await story.finish(Finished(outcome=Outcome.SUCCEEDED))
    service = Service("local")
    service._unkept["d1"] = story
    server = await make_server(service)
    server.add_insecure_port(f"unix:{tmp_path}/cd.sock")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/cd.sock") as channel:
            call = cd_pb2_grpc.CdStub(channel).Watch(pb.WatchRequest(deployment="d1", from_sequence=1))  # type: ignore[no-untyped-call]
            watched = [event_from_wire(event) async for answer in call for event in answer.events]
    finally:
        await server.stop(None)
    assert watched == await told(story)
    assert len(watched) == 41


async def test_an_abandoned_story_gets_its_end(history: History) -> None:
    story = await begin(history)
    story.tell(LogLine(service="web", line="a"))
    await anext(aiter(story.follow(1)))
    [summary] = await history.unfinished()
    await close_abandoned(history, summary)
    events = await history.events("shop", "d1")
    assert [event.sequence for event in events] == [1, 2]
    assert isinstance(events[-1].payload, Finished)
    assert (await history.find("d1")).outcome is Outcome.FAILED
    assert await history.unfinished() == []


async def test_a_story_that_ended_unnoticed_keeps_its_end(history: History) -> None:
    summary = await history.begin(request(), 100.0)
    end = Event(deployment="d1", sequence=1, time=101.0, payload=Finished(outcome=Outcome.SUCCEEDED, message="live"))
    await history.append("shop", "d1", [end])
    await close_abandoned(history, summary)
    assert await history.events("shop", "d1") == [end]
    assert (await history.find("latest")).outcome is Outcome.SUCCEEDED


async def test_deployments_are_found_by_beginning_project_and_order(history: History) -> None:
    for deployment, project in (("d1", "shop"), ("d2", "blog"), ("e1", "shop")):
        await history.begin(request(deployment, project), 100.0)
    assert [each.id for each in await history.latest()] == ["e1", "d2", "d1"]
    assert [each.id for each in await history.latest("shop", limit=1)] == ["e1"]
    assert (await history.find("latest", "blog")).id == "d2"
    assert (await history.find("e")).id == "e1"
    assert await history.projects() == ["blog", "shop"]
    assert await history.known("shop", "d1")
    assert not await history.known("blog", "d1")
    with pytest.raises(NotFoundError, match="begins the ids of 2"):
        await history.find("d")
    with pytest.raises(NotFoundError, match="no deployment 'x'"):
        await history.find("x")

"""What is kept of the past, and what goes: bounded, whoever dies in between; nothing goes that may be asked for again."""

from __future__ import annotations

import pytest

from defang_nb.model.events import Event, Finished, Kind, Outcome
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project, Service, StaticFiles
from defang_nb.model.request import DeployRequest
from defang_nb.model.stack import Stack
from defang_nb.providers.history import History
from defang_nb.providers.retention import CONTEXTS, GRACE, STORIES, tidy
from defang_nb.providers.uploads import Note, note_key, tell
from tests.provision.fakecloud import Crash
from tests.provision.memory import MemoryStore


class Kept:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.history = History(self.store)
        self.count = 0

    async def deploy(self, outcome: Outcome | None = Outcome.SUCCEEDED, kind: Kind = Kind.UP, project: str = "shop") -> str:
        """One with an image of its own; `None` goes on."""
        self.count += 1
        id_ = f"d{self.count:05}"
        key = f"contexts/{self.count:05}.tar.gz"
        image = ImageSource(reference=f"{project}/web:{self.count}", digest=str(self.count), context_key=key, services=("web",))
        named = Project(name=project, services={})
        request = DeployRequest(deployment=id_, kind=kind, stack=Stack(), project=named, images=(image,))
        await self.store.put(key, b"")
        summary = await self.history.begin(request, float(self.count))
        if outcome is not None:
            end = Event(deployment=id_, sequence=1, time=float(self.count), payload=Finished(outcome=outcome))
            await self.history.append(project, id_, [end])
            await self.history.end(summary, end)
        return id_

    async def contexts(self) -> list[int]:
        return [int(key[9:14]) for key in await self.store.list("contexts/")]


@pytest.fixture
def kept() -> Kept:
    return Kept()


async def test_little_is_left_alone(kept: Kept) -> None:
    for _ in range(CONTEXTS):
        await kept.deploy()
    writes = len(kept.store.writes)
    await tidy(kept.store, "shop", 0.0)
    await tidy(kept.store, "shop", 2 * GRACE)
    assert len(kept.store.writes) == writes


async def test_old_deployments_go_and_what_may_be_asked_for_stays(kept: Kept) -> None:
    good = await kept.deploy()
    running = await kept.deploy(None)
    other = await kept.deploy(project="blog")
    latest = [await kept.deploy(Outcome.FAILED) for _ in range(STORIES + 20)]
    for now in (0.0, GRACE + 1):
        await tidy(kept.store, "shop", now)
    assert await kept.history.ids("shop") == [good, running, *latest[-STORIES:]]
    assert await kept.history.ids("blog") == [other]
    assert await kept.history.request("shop", good) is not None
    assert not [key for key in kept.store.objects if latest[0] in key]
    assert await kept.contexts() == [1, 3, *range(kept.count - CONTEXTS + 1, kept.count + 1)]


async def test_a_context_goes_only_some_time_after_it_was_noticed(kept: Kept) -> None:
    for _ in range(CONTEXTS + 5):
        await kept.deploy()
    await tidy(kept.store, "shop", 1000.0)
    assert len(await kept.contexts()) == CONTEXTS + 5
    await tidy(kept.store, "shop", 1000.0 + GRACE / 2)
    assert len(await kept.contexts()) == CONTEXTS + 5
    await tidy(kept.store, "shop", 1000.0 + GRACE)
    assert await kept.contexts() == list(range(6, CONTEXTS + 6))


async def test_previews_count_as_stories_but_need_no_contexts(kept: Kept) -> None:
    await kept.deploy()
    for _ in range(CONTEXTS + 5):
        await kept.deploy(kind=Kind.PREVIEW)
    for now in (0.0, GRACE):
        await tidy(kept.store, "shop", now)
    assert await kept.contexts() == [1]


async def test_the_notes_of_uploads_that_died_go(kept: Kept) -> None:
    ended, running = await kept.deploy(Outcome.FAILED), await kept.deploy(None)
    for each in (ended, running, "never-begun"):
        await tell(kept.store, each, Note())
    await tidy(kept.store, "shop", 0.0)
    assert await kept.store.list("uploads/") == [note_key(running)]


async def test_folders_of_static_files_stay_as_long_as_contexts(kept: Kept) -> None:
    for number in range(CONTEXTS + 5):
        key = f"contexts/site-{number:05}.tar.gz"
        site = Service(name="web", static_files=StaticFiles(folder="/site", digest=str(number), key=key))
        request = DeployRequest(
            deployment=f"d{number:05}", kind=Kind.UP, stack=Stack(), project=Project(name="shop", services={"web": site})
        )
        await kept.store.put(key, b"")
        summary = await kept.history.begin(request, float(number))
        end = Event(deployment=request.deployment, sequence=1, time=float(number), payload=Finished(outcome=Outcome.SUCCEEDED))
        await kept.history.append("shop", request.deployment, [end])
        await kept.history.end(summary, end)
    for now in (0.0, GRACE):
        await tidy(kept.store, "shop", now)
    assert await kept.store.list("contexts/") == [f"contexts/site-{number:05}.tar.gz" for number in range(5, CONTEXTS + 5)]


async def test_killed_at_any_deletion_the_next_time_finishes_it(kept: Kept) -> None:
    for at in range(0, 60, 7):
        kept = Kept()
        for _ in range(STORIES + 20):
            await kept.deploy()
        left = at

        def cross(verb: str, key: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash

        kept.store.before = cross
        with pytest.raises(Crash):
            await tidy(kept.store, "shop", 0.0)
        kept.store.before = lambda verb, key: None
        assert len(await kept.history.latest("shop", 1000)) == len(await kept.history.ids("shop"))
        for _ in range(20):
            await kept.deploy()
        await tidy(kept.store, "shop", 0.0)
        ids = set(await kept.history.ids("shop"))
        assert len(ids) == STORIES
        assert {key.split("/")[3] for key in kept.store.objects if key.startswith("projects/shop/deployments/")} == ids

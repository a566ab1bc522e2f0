"""What is live with no record: adopted when it is asked for, named as an orphan and removed when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from defang_nb.errors import ProviderError
from defang_nb.model.events import Outcome
from defang_nb.model.plan import Action
from defang_nb.model.resource import Resource
from defang_nb.provision.executor import Applied, apply, observe, recover
from defang_nb.provision.lease import Lease
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import Live
from defang_nb.provision.state import State
from defang_nb.provision.strays import adopt, owned, removal, strays
from tests.provision.fakecloud import PROJECT, Cloud, FakeType, Line, Story, a
from tests.provision.memory import MemoryStore
from tests.provision.run import OWNER, Forever, World


class Tagged(FakeType):
    """Tells what it finds by tag; `tells_inputs`: also what that was made from."""

    tells_inputs = True
    asked = 0

    async def owned(self, project: str = "") -> Sequence[Live]:
        self.asked += 1
        return [
            Live(
                urn=thing["urn"], type=self.name, id=id_, title=thing["urn"], outputs=thing["outputs"],
                inputs=thing["inputs"] if self.tells_inputs else None, ready=True,
            )
            for id_, thing in self.cloud.things.items()
            if thing["urn"].startswith(f"{project or PROJECT}/{self.name}/")
        ]  # fmt: skip


class Place:
    """A cloud with one tagged type, whose store may be lost."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.types = {"service": Tagged(Line(self.cloud), "service"), "disk": FakeType(Line(self.cloud), "disk")}
        self.store = MemoryStore()
        self.story = Story()

    def lose_the_store(self) -> None:
        self.store = MemoryStore()
        self.cloud.calls.clear()

    async def up(self, *desired: Resource) -> tuple[list[tuple[Action, str]], Applied]:
        clock = World().clock
        async with Lease(self.store, PROJECT, deployment="d", owner=OWNER, clock=Forever()) as lease:
            state = await State.open(self.store, PROJECT, lease=lease)
            await recover(state, self.types, deployment="d", clock=clock)
            observed = await observe(state.recorded, self.types, clock=clock)
            adopted = await adopt(desired, state, self.types, project=PROJECT, deployment="d", clock=clock)
            made = plan(desired, state.recorded, self.types, observed, adopted=adopted)
            applied = await apply(
                made, desired, state, self.types, self.story, deployment="d", cancel=asyncio.Event(), clock=clock
            )
        return [(step.action, step.cause) for step in made.mutations], applied

    async def remove_orphans(self) -> Applied:
        async with Lease(self.store, PROJECT, deployment="d", owner=OWNER, clock=Forever()) as lease:
            state = await State.open(self.store, PROJECT, lease=lease)
            made = await removal(strays(await owned(self.types, PROJECT), state), state, self.types, deployment="d")
            return await apply(
                made, (), state, self.types, self.story, deployment="d", cancel=asyncio.Event(), clock=World().clock
            )

    async def orphans(self) -> list[str]:
        return [each.urn for each in strays(await owned(self.types), await State.open(self.store, PROJECT))]


async def test_what_exists_is_adopted_and_not_made_twice() -> None:
    place, web = Place(), a("service", "web", image="one")
    await place.up(web)
    place.lose_the_store()
    steps, applied = await place.up(web)
    assert steps == [(Action.ADOPT, "exists already, with no record of it")]
    assert applied.outcome is Outcome.SUCCEEDED
    assert place.cloud.calls == []
    assert (await place.up(web))[0] == []


async def test_what_was_adopted_and_differs_is_changed_by_its_differences() -> None:
    place = Place()
    await place.up(a("service", "web", image="one", port=80))
    place.lose_the_store()
    steps, _ = await place.up(a("service", "web", image="two", port=80))
    assert steps == [(Action.UPDATE, "exists already, with no record of it: adopted; image changed")]
    assert place.cloud.calls == [("update", "app/service/web")]
    assert len(place.cloud.things) == 1


async def test_what_does_not_tell_what_it_was_made_from_is_set_anew() -> None:
    place, web = Place(), a("service", "web", image="one")
    place.types["service"].tells_inputs = False  # type: ignore[attr-defined]
    await place.up(web)
    place.lose_the_store()
    steps, _ = await place.up(web)
    assert [action for action, _ in steps] == [Action.UPDATE]
    assert "adopted, and set anew" in steps[0][1]
    assert len(place.cloud.things) == 1
    assert (await place.up(web))[0] == []


async def test_tags_are_read_only_when_something_is_not_recorded() -> None:
    place = Place()
    services = [a("service", f"s{n}") for n in range(20)]
    await place.up(*services)
    asked = place.types["service"].asked  # type: ignore[attr-defined]
    assert asked == 1
    await place.up(*services)
    assert place.types["service"].asked == asked  # type: ignore[attr-defined]


async def test_orphans_are_named_and_removed_and_nothing_else_is() -> None:
    place = Place()
    await place.up(a("service", "old"), a("disk", "data"))
    place.lose_the_store()
    await place.up(a("service", "web"))
    assert await place.orphans() == ["app/service/old"], "the untagged type can't tell, and what is recorded is no orphan"
    assert (await place.remove_orphans()).outcome is Outcome.SUCCEEDED
    assert sorted(thing["urn"] for thing in place.cloud.things.values()) == ["app/disk/data", "app/service/web"]
    assert await place.orphans() == []
    assert (await place.up(a("service", "web")))[0] == []


async def test_a_second_one_of_what_is_recorded_is_an_orphan_of_its_own() -> None:
    place = Place()
    await place.up(a("service", "web"))
    (id_, thing), = place.cloud.things.items()  # fmt: skip
    place.cloud.things["id-copy"] = {**thing, "outputs": {"id": "id-copy"}}
    assert await place.orphans() == ["app/service/web"]
    await place.remove_orphans()
    assert list(place.cloud.things) == [id_]
    assert (await place.up(a("service", "web")))[0] == []


async def test_an_orphan_that_can_t_be_deleted_stays_known() -> None:
    place = Place()
    await place.up(a("service", "old", fail="delete"))
    place.lose_the_store()
    applied = await place.remove_orphans()
    assert isinstance(applied.failed["app/service/old"], ProviderError)
    assert "app/service/old" in (await State.open(place.store, PROJECT)).recorded


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_told(action: Action) -> None:
    from defang_nb.render.words import ACTIONS

    assert ACTIONS[action].word

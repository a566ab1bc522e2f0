"""What was replaced is deleted once nothing uses it: neither who stays, nor what was replaced beside it and still stands."""

from __future__ import annotations

from defang_nb.model.events import Outcome, StepFinished
from defang_nb.model.plan import Action
from defang_nb.model.resource import Resource
from defang_nb.model.value import ref
from tests.provision.fakecloud import a
from tests.provision.run import World


def chain(zone: str = "a", fail: str = "") -> list[Resource]:
    """Three nets, each inside of the one before it: another zone of the first makes all of them others."""
    extra = {"fail": fail} if fail else {}
    return [
        a("net", "outer", zone=zone),
        a("net", "middle", zone=ref("app/net/outer", "id"), **extra),
        a("net", "inner", zone=ref("app/net/middle", "id")),
    ]


def deleted(world: World) -> list[str]:
    return [urn.rsplit("/")[-1] for verb, urn in world.cloud.calls if verb == "delete"]


async def test_a_whole_chain_is_replaced_and_the_old_one_goes_from_its_end() -> None:
    world = World()
    await world.deploy(chain())
    assert (await world.deploy(chain("b"))).outcome is Outcome.SUCCEEDED
    assert deleted(world) == ["inner", "middle", "outer"]
    assert len(world.cloud.things) == 3


async def test_an_old_one_whose_user_failed_goes_after_its_users_old_one() -> None:
    world = World()
    await world.deploy(chain())
    assert (await world.deploy(chain("b", fail="ready"))).outcome is Outcome.FAILED
    assert len(world.cloud.of("app/net/outer")) == 2, "the old one is still used"
    begun = len(world.cloud.calls)
    assert (await world.deploy(chain("b"))).outcome is Outcome.SUCCEEDED
    assert [urn for verb, urn in world.cloud.calls[begun:] if verb == "delete"][-1] == "app/net/outer"
    assert len(world.cloud.things) == 3


async def test_what_leaves_the_project_goes_after_the_old_one_of_its_user() -> None:
    world = World()
    await world.deploy(chain())
    outcome = (await world.deploy([a("net", "middle", zone="c"), a("net", "inner", zone=ref("app/net/middle", "id"))])).outcome
    assert outcome is Outcome.SUCCEEDED
    assert deleted(world) == ["inner", "middle", "outer"]
    told = [each.urn for each in world.story.payloads if isinstance(each, StepFinished) and each.action is Action.DELETE]
    assert told.count("app/net/outer") == 1
    assert len(world.cloud.things) == 2

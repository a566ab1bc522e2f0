"""A store that takes no more writes from any moment on: the deployment ends in words, and with room the next mends all."""

from __future__ import annotations

import pytest

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.events import Outcome
from tests.provision.run import World, shape
from tests.provision.test_crash import JOURNEYS, _assert_clean


@pytest.mark.parametrize("journey", ["up", "change", "down"])
async def test_a_store_that_is_full_from_any_write_on(journey: str) -> None:
    *before, last = JOURNEYS[journey]
    clean = World()
    for desired in JOURNEYS[journey]:
        await clean.deploy(desired)
    wanted = shape(await clean.recorded(), clean.cloud)
    at, full = 0, True
    while full:
        world = World()
        for desired in before:
            await world.deploy(desired)
        full = await _deploy_until_full(world, last, at)
        assert (await world.deploy(last)).outcome is Outcome.SUCCEEDED, at
        await _assert_clean(world, last, wanted)
        at += 1
    assert at > 5


async def _deploy_until_full(world: World, desired: object, at: int) -> bool:
    """Deploy, with no write accepted after the first `at`; whether it came to that."""
    writes, refused = 0, False

    def before(verb: str, key: str) -> None:
        nonlocal writes, refused
        writes += 1
        if writes > at:
            refused = True
            raise ProviderError("can't write: No space left on device", hint="make room")

    world.store.before = before
    try:
        applied = await world.deploy(desired)  # type: ignore[arg-type]
    except DefangError as error:
        assert "No space left" in str(error) or "took this project over" in str(error)
    else:
        # All may have been written but the lease's release.
        assert applied.outcome is (Outcome.FAILED if applied.failed else Outcome.SUCCEEDED)
        assert all("No space left" in error.message for error in applied.failed.values())
    finally:
        world.store.before = lambda verb, key: None
    return refused

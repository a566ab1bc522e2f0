"""A site on an AWS that fails and loses replies, and under a cd that dies anywhere: nothing is there twice, stale or left."""

from __future__ import annotations

from pathlib import Path

import pytest

from defang_nb.model.events import Outcome
from defang_nb.model.resource import Resource
from defang_nb.providers.aws import again
from tests.aws.handle import Simulation
from tests.providers.aws.sites import uploaded, written
from tests.providers.aws.stage import Stage
from tests.providers.aws.test_faults import Guarded
from tests.providers.aws.test_sites import APP, NONE, ONE, SPA, census, url

pytestmark = pytest.mark.e2e


async def served(stage: Stage, simulation: Simulation) -> tuple[bytes, int]:
    """What is at the root, and how a file that comes and goes answers. Seen through what the edge remembers."""
    home = await url(stage)
    return simulation.visit(f"{home}/").body, simulation.visit(f"{home}/style.css").status


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kinds", [("throttle", "error", "unavailable"), ("lost",), ("throttle", "lost-error", "lost")])
async def test_a_bad_day_changes_nothing(
    stage: Stage, simulation: Simulation, tmp_path: Path, kinds: tuple[str, ...], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "_PAUSE", 0.01)
    folder = written(tmp_path / "site")
    faults = [{"kind": kind, "share": 0.2 / len(kinds)} for kind in kinds]
    first = await uploaded(stage.account, stage.base, APP, folder)
    (folder / "index.html").write_text("changed")
    (folder / "style.css").unlink()
    second = await uploaded(stage.account, stage.base, SPA.replace("/*=", "/else="), folder)
    wanted: list[tuple[list[Resource], dict[str, int]]] = [(list(first), ONE), (list(second), ONE), ([], NONE)]
    for number, (desired, expected) in enumerate(wanted):
        simulation.faults(*faults, seed=seed * 10 + number)
        for _ in range(4):
            if (applied := await stage.deploy(desired)).outcome is Outcome.SUCCEEDED:
                break
        simulation.faults()
        assert applied.outcome is Outcome.SUCCEEDED, applied.failed
        assert await census(stage.account) == expected
        if desired:
            assert await served(stage, simulation) == ((b"<h1>home</h1>", 200) if number == 0 else (b"changed", 404))
    assert simulation.problems() == []


@pytest.mark.parametrize("start", range(4))
async def test_killed_anywhere_the_next_one_goes_on(
    stage: Stage, simulation: Simulation, tmp_path: Path, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coming up, changing and going; every fourth boundary of each. What the edge remembers is never what was."""
    folder = written(tmp_path / "site")
    first = await uploaded(stage.account, stage.base, APP, folder)
    (folder / "index.html").write_text("changed")
    (folder / "style.css").unlink()
    second = await uploaded(stage.account, stage.base, APP.replace("/about,", "/docs/,"), folder)
    guarded = Guarded(stage, monkeypatch)
    for desired, expected in ((first, (b"<h1>home</h1>", 200)), (second, (b"changed", 404)), ((), None)):
        at = start
        while await guarded.dies(desired, at):
            at += 4
            if desired is second:
                await served(stage, simulation)  # somebody looks meanwhile, and the edge remembers
        applied = await stage.deploy(desired)
        assert applied.outcome is Outcome.SUCCEEDED, (at, applied.failed, simulation.problems())
        if expected is None:
            assert await census(stage.account) == NONE, at
        else:
            assert await census(stage.account) == ONE, at
            assert await served(stage, simulation) == expected, at

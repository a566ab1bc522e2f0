"""How many calls a project of ten services takes: to make it, to see that nothing changed, to change one. They are bars."""

from __future__ import annotations

from defang_nb.model.events import Outcome
from tests.aws.handle import Counts, Simulation
from tests.providers.aws.stage import Stage
from tests.providers.aws.ten import compose


async def test_ten_services_take_so_many_calls_and_no_more(stage: Stage, simulation: Simulation) -> None:
    async def up(text: str) -> Counts:
        simulation.forget()
        applied = await stage.up(text)
        assert applied.outcome is Outcome.SUCCEEDED, applied.failed
        return simulation.counts()

    assert (await up(compose())).total <= 200
    nothing = await up(compose())
    assert nothing.total <= 30
    assert nothing.mutations() == {}
    changed = await up(compose(value=1))
    assert 0 < sum(changed.mutations().values()) <= 3
    await up(compose(8, value=1))
    assert (await up(compose(8, value=1))).total <= nothing.total + 1

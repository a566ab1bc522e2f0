"""`make bench`, AWS's part: calls, and seconds, of whole deployments by the engine on the simulated AWS. Calls are what counts.

Ten services, seven of them behind the load balancer, one a one-off. The simulation answers at once, and what it does by itself
(tasks that start, a load balancer that comes up) is quick; so seconds are our own and its, not Amazon's.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from table import heading, row, tell  # noqa: E402

from defang_nb.model.events import Outcome  # noqa: E402
from defang_nb.providers.aws.account import Account  # noqa: E402
from tests.aws.handle import REGION, Counts, Simulation, simulated  # noqa: E402
from tests.providers.aws.stage import Stage  # noqa: E402
from tests.providers.aws.ten import compose  # noqa: E402
from tests.providers.aws.types_world import prepared  # noqa: E402


def main() -> int:
    heading()
    with simulated("--pace", "0.05") as simulation:
        os.environ.update(simulation.environment({}))
        asyncio.run(measure(simulation))
    return 0


async def measure(simulation: Simulation) -> None:
    account = Account({"AWS_REGION": REGION})
    stage = Stage(account, await prepared(account))

    async def up(text: str) -> tuple[Counts, float]:
        simulation.forget()
        begun = time.perf_counter()
        applied = await stage.up(text)
        if applied.outcome is not Outcome.SUCCEEDED:
            sys.exit(f"it did not come up: {applied.failed}")
        return simulation.counts(), time.perf_counter() - begun

    made, _ = await up(compose())
    row(f"AWS, 10 services, {len(await stage.recorded())} resources: calls to make them", made.total, 200, "calls")
    nothing, seconds = await up(compose())
    row("   nothing changed, verified", nothing.total, 30, "calls")
    tell("   changing calls among them", str(sum(nothing.mutations().values())), "0")
    row("   the same", seconds, 2, "s")
    changed, _ = await up(compose(value=1))
    row("   one service changed: changing calls", sum(changed.mutations().values()), 3, "calls")
    await up(compose(8, value=1))
    more, _ = await up(compose(8, value=1))
    row("   one more behind the load balancer: calls more to verify", more.total - nothing.total, 1, "calls")


if __name__ == "__main__":
    raise SystemExit(main())

"""One deployment as cd does it, in a process of its own, with a short lease: `python -m tests.crash.deploy ROOT ID TTL`.

Exit code 0 when all is well, 8 when the lease is held by another or was lost; what happened goes to stdout.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from defang_nb.compose import Source, load
from defang_nb.errors import LeaseHeldError
from defang_nb.model.stack import Stack
from defang_nb.provision.executor import apply, observe, recover
from defang_nb.provision.lease import Lease
from defang_nb.provision.planner import plan
from defang_nb.provision.state import State
from tests.crash.filecloud import ROOT, FileCloudProvider
from tests.crash.matrix import FIRST, PROJECT

SHORT, LONG = 1.0, 30.0
"""Seconds that a lease lasts: where its holder will be stopped, and where a slow machine must not make it seem dead."""
WAIT = 30.0


async def deploy(root: Path, id_: str, ttl: float = SHORT) -> str:
    provider = FileCloudProvider(Stack(name="lane", provider="filecloud", settings={ROOT: str(root)}))
    store, types = await provider.store(), provider.resource_types()
    desired = provider.compile(load([Source("compose", FIRST)], working_dir=root).project, (), {})
    async with Lease(store, PROJECT, deployment=id_, wait=WAIT, ttl=ttl, heartbeat=ttl / 3) as lease:
        state = await State.open(store, PROJECT, lease=lease)
        await recover(state, types, deployment=id_)
        planned = plan(desired, state.recorded, types, await observe(state.recorded, types))
        applied = await apply(planned, desired, state, types, lambda payload: None, deployment=id_, cancel=asyncio.Event())
        return f"epoch {lease.epoch}: {applied.outcome.value}, {len(planned.mutations)} steps"


if __name__ == "__main__":
    try:
        print(asyncio.run(deploy(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
    except LeaseHeldError as error:
        print(f"{type(error).__name__}: {error}")
        sys.exit(error.exit_code)

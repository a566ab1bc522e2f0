"""One deployment as cd does it: lease, state, recover, observe, plan, apply."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from defang_nb.model.plan import Plan
from defang_nb.model.resource import Recorded, Resource
from defang_nb.provision.executor import Applied, apply, observe, recover
from defang_nb.provision.lease import Lease
from defang_nb.provision.owner import Owner
from defang_nb.provision.planner import plan
from defang_nb.provision.state import State
from tests.provision.fakecloud import PROJECT, Boundaries, Clock, Cloud, Crash, Story
from tests.provision.memory import MemoryStore

OWNER = Owner(name="ada@elsewhere", host="elsewhere", pid=1)


class Forever(Clock):
    """A lease's clock: its sleepers wake only when they are cancelled, so that heartbeats don't mix into a test."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


class World:
    """A store, a cloud and a clock, which outlive the deployments (and the deaths) in them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.cloud = Cloud()
        self.clock = Clock()
        self.beats = Forever()
        self.story = Story()
        self.plan = Plan()
        self.deployments = 0

    async def deploy(
        self, desired: Sequence[Resource], *, force: Collection[str] = (), cancel: asyncio.Event | None = None
    ) -> Applied:
        self.deployments += 1
        self.beats.time += 60.0  # a lease that a dead deployment left is over
        self.story = Story()
        id_ = f"d{self.deployments}"
        types = self.cloud.types()
        async with Lease(self.store, PROJECT, deployment=id_, owner=OWNER, clock=self.beats) as lease:
            state = await State.open(self.store, PROJECT, lease=lease)
            await recover(state, types, deployment=id_, clock=self.clock)
            observed = await observe(state.recorded, types, clock=self.clock)
            self.plan = plan(desired, state.recorded, types, observed, force=force, state_version=state.version)
            cancel = cancel or asyncio.Event()
            return await apply(self.plan, desired, state, types, self.story, deployment=id_, cancel=cancel, clock=self.clock)

    async def die(self, desired: Sequence[Resource], at: int) -> bool:
        """Deploy, and die at boundary `at`; whether there was one."""
        boundaries = Boundaries(at)
        boundaries.guard(self.store)
        self.cloud.boundaries = boundaries
        try:
            await self.deploy(desired)
        except Crash:
            return True
        finally:
            Boundaries().guard(self.store)
            self.cloud.boundaries = Boundaries()
        return False

    async def recorded(self) -> dict[str, Recorded]:
        return dict((await State.open(self.store, PROJECT)).recorded)

    def journal_writes(self) -> int:
        return sum("/journal/" in key for key in self.store.writes)

"""One deployment as cd does it: lease, state, recover, observe, plan, apply."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from defang_nb.model.plan import Plan
from defang_nb.model.resource import Recorded, Resource
from defang_nb.provision.executor import Applied, apply, observe, recover, refresh
from defang_nb.provision.lease import Lease
from defang_nb.provision.owner import Owner
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import Emit, ObjectStore, ResourceType
from defang_nb.provision.state import SNAPSHOT_AFTER, State
from tests.provision.fakecloud import PROJECT, Boundaries, Clock, Cloud, Crash, Story
from tests.provision.memory import MemoryStore

OWNER = Owner(name="ada@elsewhere", host="elsewhere", pid=1)


class Forever(Clock):
    """A lease's clock: its sleepers wake only when they are cancelled, so that heartbeats don't mix into a test."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def deploy(
    store: ObjectStore,
    lease: Lease,
    types: Mapping[str, ResourceType],
    desired: Sequence[Resource],
    emit: Emit,
    *,
    cancel: asyncio.Event,
    clock: Clock,
    force: Collection[str] = (),
    snapshot_after: int = SNAPSHOT_AFTER,
) -> tuple[Plan, Applied]:
    """Everything from taking the lease to releasing it."""
    async with lease:
        id_ = lease.holding.deployment
        state = await State.open(store, PROJECT, lease=lease, snapshot_after=snapshot_after)
        await recover(state, types, deployment=id_, clock=clock)
        observed = await observe(state.recorded, types, clock=clock)
        await refresh(state, observed, deployment=id_, clock=clock)
        it = plan(desired, state.recorded, types, observed, force=force, state_version=state.version)
        return it, await apply(it, desired, state, types, emit, deployment=id_, cancel=cancel, clock=clock)


def shape(records: Mapping[str, Recorded], cloud: Cloud) -> dict[str, Any]:
    """What is recorded, without the ids that the cloud happened to give and the deployment's own number."""
    names = {id_: thing["urn"] for id_, thing in cloud.things.items()}

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(each) for key, each in value.items()}
        return names.get(value, value) if isinstance(value, str) else value

    return {
        urn: (each.type, names.get(each.id), named(dict(each.inputs)), named(dict(each.outputs)), each.ready, each.dependencies)
        for urn, each in records.items()
    }


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
        lease = Lease(self.store, PROJECT, deployment=f"d{self.deployments}", owner=OWNER, clock=self.beats)
        cancel = cancel or asyncio.Event()
        types = self.cloud.types()
        self.plan, applied = await deploy(
            self.store, lease, types, desired, self.story, force=force, cancel=cancel, clock=self.clock
        )
        return applied

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

"""Whole deployments by the engine in the simulated AWS, at twenty times the speed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from defang_nb.model.plan import Plan
from defang_nb.model.resource import Recorded, Resource
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.types import resource_types
from defang_nb.provision.clock import SYSTEM_CLOCK
from defang_nb.provision.executor import Applied, apply, observe, recover, refresh
from defang_nb.provision.lease import Lease
from defang_nb.provision.owner import Owner
from defang_nb.provision.planner import plan
from defang_nb.provision.state import State
from defang_nb.provision.strays import adopt, owned, removal, strays
from tests.providers.aws.plans import STACK, compiled
from tests.provision.memory import MemoryStore
from tests.provision.run import Forever

SPEED = 20.0
OWNER = Owner(name="ada@elsewhere", host="elsewhere", pid=1)

APP = """\
services:
  web:
    image: nginx
    ports: ["80"]
    environment: {DB: "http://api:8000/x"}
    depends_on: {migrate: {condition: service_completed_successfully}}
  api: {image: python, command: serve, deploy: {replicas: 2}}
  migrate: {image: python, command: migrate, restart: "no"}
"""


class Quick:
    """A clock that runs faster than the world's."""

    def now(self) -> float:
        return SYSTEM_CLOCK.now() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Stage:
    """What outlives a deployment: the account, the record, and what was told."""

    def __init__(self, account: Account, base: Base) -> None:
        self.account = account
        self.base = base
        self.store = MemoryStore()
        self.told: list[object] = []
        self.plan = Plan()
        self.number = 0
        self.beats = Forever()

    async def up(self, text: str) -> Applied:
        return await self.deploy(compiled(text, base=self.base) if text else ())

    async def down(self) -> Applied:
        return await self.deploy(())

    async def deploy(self, desired: Sequence[Resource]) -> Applied:
        self.number += 1
        id_, clock = f"d{self.number}", Quick()
        types = {each.name: each for each in resource_types(self.account, self.base, STACK)}
        desired = [each for each in desired if each.type in types]
        self.beats.time += 60.0  # a lease that a dead deployment left is over
        async with Lease(self.store, "shop", deployment=id_, owner=OWNER, clock=self.beats) as lease:
            state = await State.open(self.store, "shop", lease=lease)
            await recover(state, types, deployment=id_, clock=clock)
            observed = await observe(state.recorded, types, clock=clock)
            await refresh(state, observed, deployment=id_, clock=clock)
            adopted = await adopt(desired, state, types, project="shop", deployment=id_, clock=clock)
            self.plan = plan(desired, state.recorded, types, observed, adopted=adopted, state_version=state.version)
            cancel = asyncio.Event()
            return await apply(self.plan, desired, state, types, self.told.append, deployment=id_, cancel=cancel, clock=clock)

    async def sweep(self) -> Applied:
        """Remove what carries the stack's tags and no record knows."""
        types = {each.name: each for each in resource_types(self.account, self.base, STACK)}
        self.beats.time += 60.0
        async with Lease(self.store, "shop", deployment="sweep", owner=OWNER, clock=self.beats) as lease:
            state = await State.open(self.store, "shop", lease=lease)
            found = strays(await owned(types, "shop"), state)
            self.plan = await removal(found, state, types, deployment="sweep")
            return await apply(
                self.plan, (), state, types, self.told.append, deployment="sweep", cancel=asyncio.Event(), clock=Quick()
            )

    async def recorded(self) -> dict[str, Recorded]:
        return dict((await State.open(self.store, "shop")).recorded)

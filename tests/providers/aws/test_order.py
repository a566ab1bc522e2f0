"""In which order a project is made, in virtual time, with the times that AWS usually takes: what is slow begins at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import pytest

from defang_nb.errors import DefangError
from defang_nb.model.events import StepStarted
from defang_nb.model.resource import Need, Recorded, Resource
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.builds.image import ImageType
from defang_nb.providers.aws.times import usual
from defang_nb.providers.aws.types import resource_types
from defang_nb.providers.aws.types.base import AwsType
from defang_nb.provision.executor import apply
from defang_nb.provision.lease import Lease
from defang_nb.provision.order import creation_order
from defang_nb.provision.owner import Owner
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import Made, OnCancel, Operation, ResourceType, Waiting
from defang_nb.provision.state import State
from tests.providers.aws.plans import BASE, STACK, compiled
from tests.provision.memory import MemoryStore
from tests.provision.virtual import LoopClock, VirtualLoop

CALL = {kinds.BALANCER: 1.0, kinds.IMAGE: 1.0, kinds.ROLE: 0.6, kinds.DISTRIBUTION: 1.0, kinds.SITE: 2.0}
"""Seconds that the call takes which makes one; half a second for all others."""
LATE = (kinds.IMAGE, kinds.NAMESPACE, kinds.DATABASE, kinds.CACHE)
"""What these give is known only when they are ready."""

PROJECT = "services:\n" + "\n".join(
    [
        *(f"  web{n}: {{build: ., ports: ['{8000 + n}:80'], depends_on: [migrate]}}" for n in range(3)),
        *(f"  worker{n}: {{image: python, environment: {{API: 'http://web0'}}}}" for n in range(5)),
        "  migrate: {image: python, restart: 'no', depends_on: [cache]}",
        "  cache: {image: nats}\n",
    ]
)


CHAIN = """\
services:
  db: {image: postgres, x-defang-postgres: true, environment: {POSTGRES_PASSWORD: "${PASSWORD}"}}
  migrate: {image: python, restart: "no", depends_on: [db]}
  api: {image: python, depends_on: {migrate: {condition: service_completed_successfully}}}
  web: {image: python, ports: ["80"], depends_on: {api: {condition: service_healthy}}}
"""
"""Four waits, one after the other."""


class Slow:
    """A type that takes its time, asked about as the real one is. `pace`: how much longer than usual."""

    replace_on: frozenset[str] = frozenset()
    create_before_delete = False
    on_cancel = OnCancel.FINISH
    lag = 0.0
    idempotent = True

    def __init__(self, real: AwsType | ImageType, pace: float) -> None:
        self.name = real.name
        self.api = real.api
        self.typical = getattr(real, "typical", 0.0)
        self.seconds = ready_after(self.name, pace)
        self.asked: list[float] = []

    async def create(self, operation: Operation) -> Made:
        await asyncio.sleep(CALL.get(self.name, 0.5))
        known = ("arn", "id", "name", "uri", "host", "zone", "reader")
        now = () if self.name in LATE else known
        return Made(id=operation.resource.urn, outputs=dict.fromkeys(now, operation.resource.urn))

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        self.asked.append(asyncio.get_running_loop().time())
        done = [each for each in waiting if each.seconds >= self.seconds]
        return {each.operation.resource.urn: dict.fromkeys(("id", "reference", "host", "port", "arn"), "x") for each in done}


class Quick(Slow):
    """One that is ready once it is made."""

    poll_many = None  # type: ignore[assignment]

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        return made.outputs


def ready_after(name: str, pace: float) -> float:
    """Seconds from being made to being ready, of one of that type."""
    found = usual().get(name)
    return found.ready * pace if found and found.ready > 1 else 0.0


def types(pace: float) -> dict[str, Slow]:
    real = [*resource_types(Account({}), BASE, STACK), ImageType]
    return {each.name: (Slow if ready_after(each.name, pace) else Quick)(each, pace) for each in real}  # type: ignore[arg-type]


def deployed(desired: Sequence[Resource], pace: float = 1.0) -> tuple[float, dict[str, float], list[float]]:
    """How long it takes, when each step begins, and the seconds between two questions about one type."""
    begun: dict[str, float] = {}
    loop, slow = VirtualLoop(), types(pace)

    def told(event: object) -> None:
        if isinstance(event, StepStarted):
            begun[event.urn] = loop.time()

    async def deploy() -> None:
        clock, store, known = LoopClock(), MemoryStore(), cast("dict[str, ResourceType]", slow)
        recorded: Mapping[str, Recorded] = {}
        async with Lease(store, "shop", deployment="d", owner=Owner(name="a", host="b", pid=1), clock=clock) as lease:
            state = await State.open(store, "shop", lease=lease)
            it = plan(desired, recorded, known, {}, state_version=state.version)
            done = await apply(it, desired, state, known, told, deployment="d", cancel=asyncio.Event(), clock=clock)
            assert done.failed == {}

    try:
        loop.run_until_complete(deploy())
        pauses = [later - sooner for each in slow.values() for sooner, later in pairwise(each.asked)]
        return loop.time(), begun, pauses
    finally:
        loop.close()


def critical_path(desired: Sequence[Resource], pace: float = 1.0) -> float:
    """When the last one would be ready, were each begun as soon as what it needs is there."""
    made: dict[str, float] = {}
    ready: dict[str, float] = {}
    for each in creation_order(desired):
        calls, becoming = CALL.get(each.type, 0.5), ready_after(each.type, pace)
        times = [
            (made if need is Need.CREATED and not any(f"/{late}/" in urn for late in LATE) else ready)[urn]
            for urn, need in each.dependencies.items()
        ]
        made[each.urn] = max(times, default=0.0) + calls
        ready[each.urn] = made[each.urn] + becoming
    return max(ready.values())


def test_what_is_slow_begins_at_once_and_nobody_waits_without_need() -> None:
    desired = compiled(PROJECT)
    whole, begun, _ = deployed(desired)
    path = critical_path(desired)
    assert whole / path <= 1.05, (whole, path)
    slow = [urn for urn in begun if any(f"/{name}/" in urn for name in (kinds.BALANCER, kinds.NAMESPACE, kinds.IMAGE))]
    assert len(slow) == 5
    assert max(begun[urn] for urn in slow) <= 2.0, "beside each other, and before all else"
    assert begun["shop/aws:ecs/Service/worker0"] < 50, "neither a load balancer nor a build is waited for"
    assert begun["shop/aws:ecs/Service/web0"] < 150, "its tasks start while the load balancer does"


@pytest.mark.parametrize("project", [PROJECT, CHAIN])
@pytest.mark.parametrize(("pace", "most"), [(1.0, 1.02), (0.7, 1.05), (1.4, 1.05)])
def test_waits_that_follow_each_other_add_little(project: str, pace: float, most: float) -> None:
    desired = compiled(project)
    whole, _, pauses = deployed(desired, pace)
    path = critical_path(desired, pace)
    assert whole / path <= most, (whole, path)
    assert min(pauses) >= 0.499, "no question more often than every half second"
    assert len(pauses) < 250


def test_a_site_is_on_its_way_at_once_and_its_files_wait_for_nothing_slow() -> None:
    desired = compiled(PROJECT + "  site: {x-defang-static-files: site}\n")
    whole, begun, _ = deployed(desired)
    assert whole / critical_path(desired) <= 1.05
    assert begun["shop/aws:cloudfront/Distribution/site"] <= 2.0
    assert begun["shop/aws:s3/Site/site"] <= 5.0

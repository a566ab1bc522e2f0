"""In which order a project is made, in virtual time, with the times that AWS usually takes: what is slow begins at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from defang_nb.errors import DefangError
from defang_nb.model.events import StepStarted
from defang_nb.model.resource import Need, Recorded, Resource
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types import resource_types
from defang_nb.provision.executor import apply
from defang_nb.provision.lease import Lease
from defang_nb.provision.order import creation_order
from defang_nb.provision.owner import Owner
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import ApiClass, Made, OnCancel, Operation, ResourceType, Waiting
from defang_nb.provision.state import State
from tests.providers.aws.plans import BASE, STACK, compiled
from tests.provision.memory import MemoryStore
from tests.provision.virtual import LoopClock, VirtualLoop

TIMES = {
    kinds.BALANCER: (1.0, 150.0), kinds.NAMESPACE: (0.5, 40.0), kinds.IMAGE: (1.0, 120.0), kinds.SERVICE: (0.5, 45.0),
    kinds.JOB: (0.5, 40.0), kinds.ROLE: (0.6, 10.0),
}  # fmt: skip
"""Seconds that the call takes, and until it is ready after that; half a second and none for all others."""

PROJECT = "services:\n" + "\n".join(
    [
        *(f"  web{n}: {{build: ., ports: ['{8000 + n}:80'], depends_on: [migrate]}}" for n in range(3)),
        *(f"  worker{n}: {{image: python, environment: {{API: 'http://web0'}}}}" for n in range(5)),
        "  migrate: {image: python, restart: 'no', depends_on: [cache]}",
        "  cache: {image: nats}\n",
    ]
)


class Slow:
    """A type that takes its time, asked about as the real one is."""

    replace_on: frozenset[str] = frozenset()
    create_before_delete = False
    on_cancel = OnCancel.FINISH
    lag = 0.0
    idempotent = True

    def __init__(self, name: str, api: ApiClass) -> None:
        self.name = name
        self.api = api

    async def create(self, operation: Operation) -> Made:
        await asyncio.sleep(TIMES.get(self.name, (0.5, 0.0))[0])
        known = ("arn", "id", "name", "uri", "host")
        now = () if self.name in (kinds.IMAGE, kinds.NAMESPACE) else known
        return Made(id=operation.resource.urn, outputs=dict.fromkeys(now, operation.resource.urn))

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        done = [each for each in waiting if each.seconds >= TIMES[self.name][1]]
        return {each.operation.resource.urn: dict.fromkeys(("id", "reference"), "x") for each in done}


class Quick(Slow):
    """One that is ready once it is made."""

    poll_many = None  # type: ignore[assignment]

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        return made.outputs


def types() -> dict[str, ResourceType]:
    real = resource_types(Account({}), BASE, STACK)
    apis = {each.name: each.api for each in real} | {kinds.IMAGE: ApiClass("builds", 10)}  # type: ignore[attr-defined]
    return {name: Slow(name, api) if name in TIMES else Quick(name, api) for name, api in apis.items()}  # type: ignore[misc]


def deployed(desired: Sequence[Resource]) -> tuple[float, dict[str, float]]:
    """How long it takes, and when each step begins."""
    begun: dict[str, float] = {}
    loop = VirtualLoop()

    def told(event: object) -> None:
        if isinstance(event, StepStarted):
            begun[event.urn] = loop.time()

    async def deploy() -> None:
        clock, store, known = LoopClock(), MemoryStore(), types()
        recorded: Mapping[str, Recorded] = {}
        async with Lease(store, "shop", deployment="d", owner=Owner(name="a", host="b", pid=1), clock=clock) as lease:
            state = await State.open(store, "shop", lease=lease)
            it = plan(desired, recorded, known, {}, state_version=state.version)
            done = await apply(it, desired, state, known, told, deployment="d", cancel=asyncio.Event(), clock=clock)
            assert done.failed == {}

    try:
        loop.run_until_complete(deploy())
        return loop.time(), begun
    finally:
        loop.close()


def critical_path(desired: Sequence[Resource]) -> float:
    """When the last one would be ready, were each begun as soon as what it needs is there."""
    made: dict[str, float] = {}
    ready: dict[str, float] = {}
    for each in creation_order(desired):
        calls, becoming = TIMES.get(each.type, (0.5, 0.0))
        late = (kinds.IMAGE, kinds.NAMESPACE)  # what they give is known only when they are ready
        times = [
            (made if need is Need.CREATED and f"/{late[0]}/" not in urn and f"/{late[1]}/" not in urn else ready)[urn]
            for urn, need in each.dependencies.items()
        ]
        made[each.urn] = max(times, default=0.0) + calls
        ready[each.urn] = made[each.urn] + becoming
    return max(ready.values())


def test_what_is_slow_begins_at_once_and_nobody_waits_without_need() -> None:
    desired = compiled(PROJECT)
    whole, begun = deployed(desired)
    path = critical_path(desired)
    assert whole / path <= 1.05, (whole, path)
    slow = [urn for urn in begun if any(f"/{name}/" in urn for name in (kinds.BALANCER, kinds.NAMESPACE, kinds.IMAGE))]
    assert len(slow) == 5
    assert max(begun[urn] for urn in slow) <= 2.0, "beside each other, and before all else"
    assert begun["shop/aws:ecs/Service/worker0"] < 50, "neither a load balancer nor a build is waited for"
    assert begun["shop/aws:ecs/Service/web0"] < 150, "its tasks start while the load balancer does"

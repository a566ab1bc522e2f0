"""A small cloud in memory, with a master over time and a way to die at any boundary.

`Cloud.things` is what exists; the resource types make, change and unmake it as a real provider would: by calls whose reply can
be lost, with an id that the cloud chooses, and with the urn as a tag. Inputs with a meaning of their own: `fail` ("create",
"update", "ready", "delete") makes that call fail, `busy` fails the first n calls with a throttle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.events import Payload
from defang_nb.model.resource import Need, Options, Recorded, Resource, urn
from defang_nb.provision.ports import Made, OnCancel, Operation, TransientError
from tests.provision.memory import MemoryStore

PROJECT = "app"


class Crash(BaseException):
    """The process dies here."""


class Clock:
    """Time that passes at once for whoever sleeps, and never by itself."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


class Boundaries:
    """Counts the boundaries that a run crosses, and kills it at number `at`; dead, every further boundary kills too."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.crossed: list[str] = []

    def cross(self, name: str) -> None:
        self.crossed.append(name)
        if self.at is not None and len(self.crossed) > self.at:
            raise Crash(name)

    def guard(self, store: MemoryStore) -> None:
        store.before = lambda verb, key: self.cross(f"before {verb} {key}")
        store.after = lambda verb, key: self.cross(f"after {verb} {key}")


class Cloud:
    """`calls` are those that changed something, as (verb, urn); `hold` lets a test keep a call from going on."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.boundaries = Boundaries()
        self.hold: Callable[[str, str], asyncio.Event | None] = lambda verb, urn: None
        self._count = 0
        self._throttled: dict[str, int] = {}

    def types(self) -> dict[str, FakeType]:
        return {
            "net": FakeType(self, "net", replace_on={"zone"}, create_before_delete=True),
            "disk": FakeType(self, "disk", replace_on={"zone"}),
            "service": FakeType(self, "service"),
            "image": FakeType(self, "image", on_cancel=OnCancel.ABANDON),
        }

    def of(self, urn_: str) -> list[dict[str, Any]]:
        return [thing for thing in self.things.values() if thing["urn"] == urn_]

    def new_id(self) -> str:
        self._count += 1
        return f"id-{self._count}"

    async def called(self, verb: str, urn_: str, inputs: Mapping[str, Any]) -> None:
        """A request goes out: it may be held, throttled or refused."""
        self.boundaries.cross(f"before {verb} {urn_}")
        self.calls.append((verb, urn_))
        if (held := self.hold(verb, urn_)) is not None:
            await held.wait()
        else:
            await asyncio.sleep(0)
        if self._throttled.setdefault(f"{verb} {urn_}", inputs.get("busy", 0)):
            self._throttled[f"{verb} {urn_}"] -= 1
            raise TransientError("slow down", after=1.0, refused=True)
        if inputs.get("fail") == verb:
            raise ProviderError(f"{verb} refused")

    def replied(self, verb: str, urn_: str) -> None:
        self.boundaries.cross(f"after {verb} {urn_}")


class FakeType:
    def __init__(
        self,
        cloud: Cloud,
        name: str,
        *,
        replace_on: set[str] = frozenset(),  # type: ignore[assignment]
        create_before_delete: bool = False,
        on_cancel: OnCancel = OnCancel.FINISH,
    ) -> None:
        self.cloud = cloud
        self.name = name
        self.replace_on = frozenset(replace_on)
        self.create_before_delete = create_before_delete
        self.on_cancel = on_cancel
        self.lag = 0.0
        self.idempotent = True
        self.reads = 0

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Any] | None]:
        self.reads += 1
        things = self.cloud.things
        return {each.urn: things[each.id]["outputs"] if each.id in things else None for each in recorded}

    async def create(self, operation: Operation) -> Made:
        resource = operation.resource
        await self.cloud.called("create", resource.urn, resource.inputs)
        done = [each for each in self.cloud.things.items() if each[1]["token"] == operation.token]
        id_ = done[0][0] if done else self.cloud.new_id()
        self.cloud.things[id_] = {
            "urn": resource.urn,
            "inputs": dict(resource.inputs),
            "outputs": self._outputs(id_, resource),
            "token": operation.token,
        }
        self.cloud.replied("create", resource.urn)
        return Made(id=id_, outputs={"id": id_})

    async def update(self, operation: Operation) -> Made:
        resource, previous = operation.resource, operation.previous
        assert previous is not None
        await self.cloud.called("update", resource.urn, resource.inputs)
        if previous.id not in self.cloud.things:
            raise ProviderError(f"{previous.id} is not there")
        self.cloud.things[previous.id].update(
            inputs=dict(resource.inputs), outputs=self._outputs(previous.id, resource), token=operation.token
        )
        self.cloud.replied("update", resource.urn)
        return Made(id=previous.id, outputs={"id": previous.id})

    async def delete(self, recorded: Recorded) -> None:
        await self.cloud.called("delete", recorded.urn, recorded.inputs)
        for other in self.cloud.things.values():
            if self.name == "net" and recorded.id in other["inputs"].values():
                raise ProviderError(f"{other['urn']} still uses {recorded.urn}")
        self.cloud.things.pop(recorded.id, None)
        self.cloud.replied("delete", recorded.urn)

    async def find(self, urn: str) -> Made | None:
        found = [id_ for id_, thing in self.cloud.things.items() if thing["urn"] == urn]
        return Made(id=found[-1], outputs={"id": found[-1]}) if found else None

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Any]:
        urn_ = operation.resource.urn
        if (held := self.cloud.hold("ready", urn_)) is not None:
            await held.wait()
        if self.cloud.things[made.id]["inputs"].get("fail") == "ready":
            raise ProviderError("never became healthy", hint="look at its log")
        outputs: Mapping[str, Any] = self.cloud.things[made.id]["outputs"]
        return outputs

    def _outputs(self, id_: str, resource: Resource) -> dict[str, Any]:
        return {"id": id_, "address": f"{resource.urn.rsplit('/')[-1]}.{resource.inputs.get('domain', 'local')}"}


def a(type_: str, name: str, *, protect: bool = False, needs: Mapping[str, Need] | None = None, **inputs: Any) -> Resource:
    """A resource of the tests' project; `needs` are urns."""
    options = Options(protect=protect, depends_on=needs or {})
    return Resource(urn=urn(PROJECT, type_, name), type=type_, inputs=inputs, options=options, service=name, title=name)


class Story:
    """Collects what is emitted."""

    def __init__(self) -> None:
        self.payloads: list[Payload] = []

    def __call__(self, payload: Payload) -> None:
        self.payloads.append(payload)

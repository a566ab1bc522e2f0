"""A small cloud in memory, with a master over time and a way to die at any boundary.

`Cloud.things` is what exists; the resource types make, change and unmake it as a real provider would: by calls whose reply can
be lost, with an id that the cloud chooses, and with the urn as a tag. Inputs with a meaning of their own: `fail` ("create",
"update", "ready", "delete") makes that call fail, `busy` fails the first n calls with a throttle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from defang_nb.errors import ProviderError
from defang_nb.model.events import Payload
from defang_nb.model.resource import Need, Options, Recorded, Resource, urn
from defang_nb.provision.ports import Made, OnCancel, Operation, TransientError
from tests.provision.memory import MemoryStore

PROJECT = "app"

Thing = dict[str, Any]
T = TypeVar("T")


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

    def types(self, line: Line | None = None) -> dict[str, FakeType]:
        line = line or Line(self)
        types = (
            FakeType(line, "net", replace_on={"zone"}, create_before_delete=True, held=True),
            FakeType(line, "disk", replace_on={"zone"}, named=True),
            FakeType(line, "service"),
            QuickType(line, "quick"),
            FakeType(line, "image", on_cancel=OnCancel.ABANDON),
            FakeType(line, "legacy", replace_on={"zone"}, create_before_delete=True, idempotent=False),
        )
        return {type_.name: type_ for type_ in types}

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
        self.refuse(verb, urn_, inputs)

    def refuse(self, verb: str, urn_: str, inputs: Mapping[str, Any]) -> None:
        """Raises what the inputs ask for."""
        if self._throttled.setdefault(f"{verb} {urn_}", inputs.get("busy", 0)):
            self._throttled[f"{verb} {urn_}"] -= 1
            raise TransientError("slow down", after=1.0, refused=True)
        if inputs.get("fail") == verb:
            raise ProviderError(f"{verb} refused")

    def replied(self, verb: str, urn_: str) -> None:
        self.boundaries.cross(f"after {verb} {urn_}")


class Line:
    """How somebody reaches the cloud: here at once, and never cut but at a boundary (`far.py` has a worse one)."""

    lag = 0.0

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def change(self, verb: str, urn_: str, inputs: Mapping[str, Any], effect: Callable[[], T]) -> T:
        await self.cloud.called(verb, urn_, inputs)
        result = effect()
        self.cloud.replied(verb, urn_)
        return result

    async def read(self, look: Callable[[Mapping[str, Thing]], T]) -> T:
        return look(self.cloud.things)

    async def pause(self) -> None:
        """Before one looks again."""
        await asyncio.sleep(0)


class FakeType:
    """`named`: there can't be two with one name; `held`: can't be deleted while something else mentions its id."""

    def __init__(
        self,
        line: Line,
        name: str,
        *,
        replace_on: set[str] = frozenset(),  # type: ignore[assignment]
        create_before_delete: bool = False,
        on_cancel: OnCancel = OnCancel.FINISH,
        idempotent: bool = True,
        named: bool = False,
        held: bool = False,
    ) -> None:
        self.line = line
        self.cloud = line.cloud
        self.name = name
        self.replace_on = frozenset(replace_on)
        self.create_before_delete = create_before_delete
        self.on_cancel = on_cancel
        self.lag = line.lag
        self.idempotent = idempotent
        self.named = named
        self.held = held
        self.reads = 0

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Any] | None]:
        self.reads += 1
        return await self.line.read(
            lambda things: {each.urn: things[each.id]["outputs"] if each.id in things else None for each in recorded}
        )

    async def create(self, operation: Operation) -> Made:
        resource = operation.resource
        return await self.line.change("create", resource.urn, resource.inputs, lambda: self._create(operation))

    def _create(self, operation: Operation) -> Made:
        resource, things = operation.resource, self.cloud.things
        done = [id_ for id_, thing in things.items() if thing["made_by"] == operation.token] if self.idempotent else []
        if self.named and not done and self.cloud.of(resource.urn):
            raise ProviderError(f"{resource.urn} is there already")
        id_ = done[0] if done else self.cloud.new_id()
        if not done:
            things[id_] = self._thing(id_, operation, operation.token)
        return Made(id=id_, outputs={"id": id_})

    async def update(self, operation: Operation) -> Made:
        resource = operation.resource
        return await self.line.change("update", resource.urn, resource.inputs, lambda: self._update(operation))

    def _update(self, operation: Operation) -> Made:
        assert operation.previous is not None
        id_, things = operation.previous.id, self.cloud.things
        if id_ not in things:
            raise ProviderError(f"{id_} is not there")
        things[id_] = self._thing(id_, operation, things[id_]["made_by"])
        return Made(id=id_, outputs={"id": id_})

    def _thing(self, id_: str, operation: Operation, made_by: str) -> Thing:
        resource = operation.resource
        address = f"{resource.urn.rsplit('/')[-1]}.{resource.inputs.get('domain', 'local')}"
        outputs = {"id": id_, "address": address}
        return {
            "urn": resource.urn,
            "inputs": dict(resource.inputs),
            "outputs": outputs,
            "token": operation.token,
            "made_by": made_by,
        }

    async def delete(self, recorded: Recorded) -> None:
        await self.line.change("delete", recorded.urn, recorded.inputs, lambda: self._delete(recorded))

    def _delete(self, recorded: Recorded) -> None:
        for other in self.cloud.things.values():
            if self.held and recorded.id in other["inputs"].values():
                raise ProviderError(f"{other['urn']} still uses {recorded.urn}")
        self.cloud.things.pop(recorded.id, None)

    async def find(self, urn: str) -> Made | None:
        found = await self.line.read(lambda things: [id_ for id_, thing in things.items() if thing["urn"] == urn])
        return Made(id=found[-1], outputs={"id": found[-1]}) if found else None

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Any]:
        urn_ = operation.resource.urn
        if (held := self.cloud.hold("ready", urn_)) is not None:
            await held.wait()
        while True:
            thing = await self.line.read(lambda things: things.get(made.id))
            if thing is not None and thing["token"] == operation.token:
                break
            if self.cloud.things.get(made.id, {}).get("token") != operation.token:
                raise ProviderError(f"{made.id} is gone, or was changed by somebody else")
            await self.line.pause()
        if thing["inputs"].get("fail") == "ready":
            raise ProviderError("never became healthy", hint="look at its log")
        outputs: Mapping[str, Any] = thing["outputs"]
        return outputs


class QuickType(FakeType):
    """Of what is ready a moment after it was made."""

    typical = 0.05


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

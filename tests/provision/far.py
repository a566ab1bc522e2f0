"""Processes that work on one store and one cloud over a bad line, in virtual time: each may be killed, stopped, or cut off.

A request, once sent, is the server's: it takes effect some time later, whatever has become of its sender. A process that is
stopped hears no answer until it goes on. Weather says what the line and the cloud do to a process's requests.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.model.plan import Plan
from defang_nb.model.resource import Resource
from defang_nb.provision.executor import Applied
from defang_nb.provision.lease import Holding, Lease, lease_key
from defang_nb.provision.objects import pack, unpack
from defang_nb.provision.ports import Stored, TransientError
from tests.provision.fakecloud import PROJECT, Cloud, Crash, FakeType, Line, Story, Thing
from tests.provision.memory import MemoryStore
from tests.provision.run import OWNER, deploy
from tests.provision.virtual import LoopClock

T = TypeVar("T")

LATENCY = {"create": 3.0, "update": 2.0, "delete": 2.0, "read": 0.4, "store": 0.05}
"""Seconds that a request takes at most, there and back."""
LAG = 8.0
"""What the types declare: no request and no change is ever later than this."""
_SHOWS_AFTER = LAG - max(LATENCY.values()) - 1.0

_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Weather(msgspec.Struct, frozen=True):
    """How likely each is for one request. `lost`, `unsent`: no reply, with and without effect; `broken`: refused after it."""

    throttled: float = 0.0
    lost: float = 0.0
    unsent: float = 0.0
    refused: float = 0.0
    broken: float = 0.0
    unready: float = 0.0
    store_lost: float = 0.0
    store_unsent: float = 0.0
    store_twice: float = 0.0
    store_torn: float = 0.0


CALM = Weather()


class Far:
    """What outlives the processes: the store, the cloud and what can be seen of it, and the rules that no process may break."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.store = MemoryStore()
        self.cloud = Cloud()
        self.history: list[tuple[float, Mapping[str, Thing]]] = [(0.0, {})]
        self.writers: dict[str, str] = {}
        self.reads = 0
        self.names: list[str] = []

    def changed(self) -> None:
        """Remember what is live from now on, for those who will see it late."""
        now = asyncio.get_running_loop().time()
        oldest = max((index for index, (since, _) in enumerate(self.history) if since <= now - LAG), default=0)
        self.history = [*self.history[oldest:], (now, dict(self.cloud.things))]

    def view(self) -> Mapping[str, Thing]:
        """What a read shows: each thing as it was at some moment that is not too long ago, in the order of their making."""
        now = asyncio.get_running_loop().time()
        ids = {id_ for _, things in self.history for id_ in things}
        seen = {}
        for id_ in sorted(ids, key=lambda each: int(each.rpartition("-")[2])):
            then = now - self.rng.uniform(0, _SHOWS_AFTER)
            things = next((things for since, things in reversed(self.history) if since <= then), {})
            if id_ in things:
                seen[id_] = things[id_]
        return seen

    def holding(self) -> Holding:
        return unpack(self.store.objects[lease_key(PROJECT)].data, Holding, "lease")

    def bury(self, process: Process) -> None:
        """The lease of a process that died on this machine need not be waited for."""
        key = lease_key(PROJECT)
        if process.lease is not None and key in self.store.objects:
            held = self.holding()
            if held.deployment == process.name:
                self.store.write(key, pack(msgspec.structs.replace(held, deadline=0.0)), None, False)

    def check_write(self, process: Process, key: str) -> None:
        """One writer for each epoch, and none after its seal."""
        if (found := re.search(r"/journal/\d+/(\d+)-", key)) is None:
            return
        data = self.store.objects[key].data
        if b'"seal"' in data:
            return
        assert self.writers.setdefault(found[1], process.name) == process.name, f"two holders of epoch {found[1]}"
        before = sorted(each for each in self.store.objects if each.startswith(key.rpartition("-")[0]) and each < key)
        assert not (before and b'"seal"' in self.store.objects[before[-1]].data), "written after the seal"


class Process:
    """One deployment's process. Its tasks are those that its `main` begins."""

    def __init__(
        self, far: Far, name: str, weather: Weather = CALM, *, skew: float = 0.0, die_at: int | None = None, near: bool = False
    ) -> None:
        self.far = far
        self.name = name
        self.weather = weather
        self.clock = FarClock(self, skew)
        self.die_at = die_at
        self.near = near
        self.crossed: list[str] = []
        self.alive = True
        self.cut_off = False
        self.cancel = asyncio.Event()
        self.lease: Lease | None = None
        self.story = Story()
        self.result: Any = None
        self.error: BaseException | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self._running = asyncio.Event()
        self._running.set()
        self._main: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        return self._main is not None and self._main.done()

    @property
    def stopped(self) -> bool:
        return not self._running.is_set()

    def deploy(self, desired: Sequence[Resource]) -> None:
        """Start it."""

        async def main(process: Process) -> tuple[Plan, Applied]:
            store, clock = FarStore(process), process.clock
            process.lease = Lease(store, PROJECT, deployment=process.name, owner=OWNER, clock=clock, wait=3600.0)
            types, story, cancel = FarLine(process).types(), process.story, process.cancel
            return await deploy(store, process.lease, types, desired, story, cancel=cancel, clock=clock, snapshot_after=8)

        self.start(main)

    def start(self, main: Callable[[Process], Coroutine[Any, Any, Any]]) -> None:
        asyncio.get_running_loop().set_task_factory(_owned)

        async def run() -> None:
            _process.set(self)
            try:
                self.result = await main(self)
            except asyncio.CancelledError:
                pass
            except BaseException as error:  # noqa: BLE001 - a death among them
                self.error = error

        self._main = asyncio.create_task(run())
        self.tasks.append(self._main)

    async def wait(self) -> None:
        """Until it is over; what it left running (it should be nothing) is ended."""
        assert self._main is not None
        await self._main
        await self._end_tasks()

    async def kill(self) -> None:
        self._die()
        await self._end_tasks()

    def _die(self) -> None:
        self.alive = False
        if self.near:
            self.far.bury(self)
        self._running.set()
        for task in self.tasks:
            task.cancel()

    async def _end_tasks(self) -> None:
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                task.cancel()
            _, pending = await asyncio.wait(left, timeout=300)
            assert not pending, "a task that does not end"
        for task in self.tasks:
            if not task.cancelled():
                task.exception()

    def stop(self) -> None:
        """As SIGSTOP: nothing is heard until it goes on."""
        self._running.clear()

    def go_on(self) -> None:
        self._running.set()

    def cross(self, boundary: str) -> None:
        if not self.alive:
            raise Crash(boundary)
        self.crossed.append(boundary)
        if self.die_at is not None and len(self.crossed) > self.die_at:
            asyncio.get_running_loop().call_soon(self._die)
            self.alive = False
            raise Crash(boundary)

    async def request(self, name: str, kind: str, effect: Callable[[], T]) -> T:
        """Send, let the server do it, and hear the answer."""
        self.cross(f"before {name}")
        loop, rng = asyncio.get_running_loop(), self.far.rng
        reply: asyncio.Future[T] = loop.create_future()
        there, back = (rng.uniform(0, LATENCY[kind] / 2) for _ in range(2))

        def serve() -> None:
            try:
                result = effect()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
                loop.call_later(back, answer, None, error)
            else:
                loop.call_later(back, answer, result, None)

        def answer(result: Any, error: Exception | None) -> None:
            if not reply.done():
                reply.set_result(result) if error is None else reply.set_exception(error)

        loop.call_later(there, serve)
        try:
            return await reply
        finally:
            await self._running.wait()
            self.cross(f"after {name}")

    def chance(self, likelihood: float) -> bool:
        return likelihood > 0 and self.far.rng.random() < likelihood


def _owned(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(coroutine, loop=loop, **more)
    if (process := _process.get()) is not None:
        process.tasks.append(task)
    return task


class FarClock(LoopClock):
    """The clock of a process that may be stopped."""

    def __init__(self, process: Process, skew: float) -> None:
        super().__init__(skew)
        self._process = process

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await self._process._running.wait()


class FarLine(Line):
    lag = LAG

    def __init__(self, process: Process) -> None:
        super().__init__(process.far.cloud)
        self._process = process
        self._far = process.far

    async def change(self, verb: str, urn_: str, inputs: Mapping[str, Any], effect: Callable[[], T]) -> T:
        weather, chance = self._process.weather, self._process.chance
        lease = self._process.lease
        assert lease is None or self._far.holding().epoch == lease.epoch, f"{self._process.name} was taken over, and calls"

        def serve() -> T:
            if chance(weather.throttled):
                raise TransientError("slow down", after=1.0, refused=True)
            if chance(weather.unsent):
                raise TransientError("no connection")
            if chance(weather.refused):
                raise ProviderError(f"{verb} was refused")
            self.cloud.calls.append((verb, urn_))
            self.cloud.refuse(verb, urn_, inputs)
            result = effect()
            self._far.changed()
            if chance(weather.lost):
                raise TransientError("the connection broke")
            if chance(weather.broken):
                raise ProviderError(f"{verb} went wrong half-way")
            return result

        return await self._process.request(f"{verb} {urn_}", verb, serve)

    async def read(self, look: Callable[[Mapping[str, Thing]], T]) -> T:
        def serve() -> T:
            self._far.reads += 1
            if self._process.chance(self._process.weather.throttled):
                raise TransientError("slow down", after=1.0, refused=True)
            return look(self._far.view())

        return await self._process.request("read", "read", serve)

    def types(self) -> dict[str, FakeType]:
        return self.cloud.types(self)

    async def pause(self) -> None:
        await self._process.clock.sleep(self._far.rng.uniform(0.5, 4.0))
        if self._process.chance(self._process.weather.unready):
            raise ProviderError("never became healthy")


class FarStore:
    """The `ObjectStore` as a process reaches it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._store = process.far.store

    async def get(self, key: str) -> Stored | None:
        def read() -> Stored | None:
            found = self._store.objects.get(key)
            if found is not None and self._process.chance(self._process.weather.store_torn):
                return Stored(data=found.data[: self._process.far.rng.randrange(len(found.data))], version=found.version)
            return found

        return await self._request(f"get {key}", read, reads=True)

    async def list(self, prefix: str) -> list[str]:
        return await self._request(
            f"list {prefix}", lambda: sorted(key for key in self._store.objects if key.startswith(prefix)), reads=True
        )

    async def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        def write() -> str:
            version = self._store.write(key, data, if_match, if_absent)
            self._process.far.check_write(self._process, key)
            return version

        return await self._request(f"put {key}", write)

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        await self._request(f"delete {key}", lambda: self._store.remove(key, if_match))

    async def upload(self, key: str, path: Path) -> None:
        raise NotImplementedError

    async def download(self, key: str, path: Path) -> None:
        raise NotImplementedError

    async def _request(self, name: str, effect: Callable[[], T], *, reads: bool = False) -> T:
        weather, chance = self._process.weather, self._process.chance

        def serve() -> T:
            if self._process.cut_off or chance(weather.store_unsent):
                raise ProviderError("the store can't be reached")
            result = effect()
            if chance(weather.store_lost):
                raise ProviderError("the store does not answer")
            if not reads and chance(weather.store_twice):
                effect()  # a client library that lost the first reply
            return result

        return await self._process.request(name, "store", serve)

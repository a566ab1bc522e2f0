"""`make bench`, the deployment engine's part: planning, scheduling and recording, without any provider's own time.

The cloud is the tests' own, in memory and instantly ready; what is recorded goes to real files, synced. Figures to compare,
never a test. Where a figure depends on the disk, the disk's own part is measured beside it: a bare write with fsync.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from defang_nb.model.events import Outcome  # noqa: E402
from defang_nb.model.resource import Need, Recorded, Resource  # noqa: E402
from defang_nb.model.value import ref  # noqa: E402
from defang_nb.providers.local.store import FileStore  # noqa: E402
from defang_nb.provision.lease import Lease  # noqa: E402
from defang_nb.provision.planner import plan  # noqa: E402
from defang_nb.provision.ports import Made, ObjectStore, Operation  # noqa: E402
from defang_nb.provision.recovery import record_of  # noqa: E402
from tests.provision.fakecloud import PROJECT, Cloud, FakeType, Line, Story, a  # noqa: E402
from tests.provision.run import OWNER, deploy  # noqa: E402
from tests.provision.virtual import LoopClock, VirtualLoop  # noqa: E402

MIB = 2**20
ROUNDS = 5


def main() -> int:
    planning()
    scheduling()
    recording()
    return 0


# Planning.


def planning() -> None:
    """Of what is recorded and unchanged, each size in a process of its own."""
    taken, memory = {}, {}
    for count in (1_000, 10_000):
        found = [json.loads(_python("--plan", str(count))) for _ in range(3)]
        taken[count] = min(each[0] for each in found)
        memory[count] = min(each[1] for each in found) / MIB
    row("plan of 10,000 resources, nothing changed", f"{taken[10_000]:.2f} s", "1.5 s", taken[10_000] / 1.5)
    row("   memory for that, over the bare interpreter", f"{memory[10_000]:.0f} MiB", "150 MiB", memory[10_000] / 150)
    growth = taken[10_000] / taken[1_000] / 10
    row("   time a resource, as many times that of 1,000", f"{growth:.2f} ×", "1.3 ×", growth / 1.3)


def _measure_plan(count: int) -> None:
    """Print [seconds, bytes over the bare interpreter], the values themselves among the bytes."""
    bare = json.loads(subprocess.run([sys.executable, "-c", _BARE], check=True, capture_output=True, text=True).stdout)
    desired = project(count)
    recorded = {each.urn: record(each) for each in desired}
    types = Cloud().types()
    observed = {urn: each.outputs for urn, each in recorded.items()}
    begun = time.perf_counter()
    it = plan(desired, recorded, types, observed)
    taken = time.perf_counter() - begun
    if it.mutations or len(it.steps) != count:
        raise SystemExit("the plan is not what it should be")
    sys.stdout.write(json.dumps([taken, psutil.Process().memory_info().rss - bare]))


_BARE = "import os; print(int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE'))"


def project(count: int) -> list[Resource]:
    """Services with what a Compose service's resources hold, in layers that use some of the one before."""
    rng, made = random.Random(count), list[Resource]()  # noqa: S311 - a figure's input
    for number in range(count):
        used = {each.urn for each in rng.sample(made[-50:], min(len(made), 2))}
        environment = {f"VARIABLE_{n}": f"value {n} of {number}" for n in range(10)} | {
            f"URL_{n}": ref(urn, "address") for n, urn in enumerate(used)
        }
        made.append(a("service", f"s{number}", image="registry/app@sha256:" + "0" * 64, environment=environment, replicas=1))
    return made


def record(resource: Resource) -> Recorded:
    name = resource.urn.rpartition("/")[2]
    inputs = json.loads(json.dumps(resource.inputs))
    for key, value in inputs["environment"].items():
        if isinstance(value, dict):
            inputs["environment"][key] = f"{value['$ref'].partition('#')[0].rpartition('/')[2]}.local"
    resolved = Resource(urn=resource.urn, type=resource.type, inputs=inputs, service=name, title=name)
    made = Made(id=name, outputs={"id": name, "address": f"{name}.local"})
    return record_of(resolved, made, deployment="d", ready=True)


# Scheduling.


def scheduling() -> None:
    """Random graphs whose steps take virtual seconds, with as many calls at a time as `up` makes."""
    ratios = [_makespan(seed) for seed in range(30)]
    row("makespan over critical path, 30 random graphs, worst", f"{max(ratios):.3f}", "1.05", max(ratios) / 1.05)
    row("   the same, median", f"{statistics.median(ratios):.3f}", "", None)


def _makespan(seed: int) -> float:
    rng = random.Random(seed)  # noqa: S311 - a figure's input
    times: dict[str, tuple[float, float]] = {}
    desired: list[Resource] = []
    for number in range(rng.randint(20, 80)):
        others = rng.sample(desired, min(len(desired), rng.randint(0, 3)))
        needs = {each.urn: rng.choice(list(Need)) for each in others}
        desired.append(a("service", f"s{number}", needs=needs))
        times[desired[-1].urn] = (rng.uniform(0.2, 2.0), rng.choice((rng.uniform(0.0, 10.0), rng.uniform(20.0, 180.0))))
    loop = VirtualLoop()
    try:
        loop.run_until_complete(_deployed(FarFromReady(times), desired, LoopClock()))
        return loop.time() / _critical_path(desired, times)
    finally:
        loop.close()


class FarFromReady(Cloud):
    """Every create and every way to readiness takes its time."""

    def __init__(self, times: dict[str, tuple[float, float]]) -> None:
        super().__init__()
        self.times = times

    def types(self, line: Line | None = None) -> dict[str, FakeType]:
        return {"service": Slow(Line(self), "service")}


class Slow(FakeType):
    async def create(self, operation: Operation) -> Made:
        await asyncio.sleep(self.cloud.times[operation.resource.urn][0])  # type: ignore[attr-defined]
        return await super().create(operation)

    async def ready(self, operation: Operation, made: Made) -> object:  # type: ignore[override]
        await asyncio.sleep(self.cloud.times[operation.resource.urn][1])  # type: ignore[attr-defined]
        return await super().ready(operation, made)


def _critical_path(desired: Sequence[Resource], times: dict[str, tuple[float, float]]) -> float:
    """When the last one would be ready, were each begun as soon as what it needs is there."""
    created: dict[str, float] = {}
    ready: dict[str, float] = {}
    for each in desired:
        begun = max([(created if need is Need.CREATED else ready)[urn] for urn, need in each.dependencies.items()], default=0.0)
        created[each.urn] = begun + times[each.urn][0]
        ready[each.urn] = created[each.urn] + times[each.urn][1]
    return max(ready.values())


# Recording.


def recording() -> None:
    """With real files, each step durable before its call is made."""
    write = statistics.median(_fsync() for _ in range(ROUNDS))
    row("a bare write of 1 KiB with fsync, here", f"{write * 1000:.2f} ms", "", None)
    chain = [a("service", f"s{n}", needs={f"{PROJECT}/service/s{n - 1}": Need.READY} if n else {}) for n in range(200)]
    step = min(_with_files(chain) for _ in range(3)) / len(chain)
    row("engine, a create in a chain (one after the other)", f"{step * 1000:.2f} ms", "2 ms", step / 0.002)
    many = [a("service", f"s{n}") for n in range(1_000)]
    taken = min(_with_files(many) for _ in range(3))
    row("engine, a create among 1,000", f"{taken:.2f} ms", "2 ms", taken / 2)
    row("1,000 creates, with lease, plan and record", f"{taken:.2f} s", "3 s", taken / 3)


def _with_files(desired: Sequence[Resource]) -> float:
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-", dir=_disk()) as folder:
        begun = time.perf_counter()
        asyncio.run(_deployed(Cloud(), desired, LoopClock(), FileStore(Path(folder) / "store")))
        return time.perf_counter() - begun


def _fsync() -> float:
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-", dir=_disk()) as folder:
        begun = time.perf_counter()
        for number in range(100):
            with (Path(folder) / str(number)).open("wb") as file:
                file.write(b"x" * 1024)
                file.flush()
                os.fsync(file.fileno())
        return (time.perf_counter() - begun) / 100


def _disk() -> str:
    """Where stacks are kept: a real disk, and not one in memory."""
    return str(Path.home())


async def _deployed(cloud: Cloud, desired: Sequence[Resource], clock: LoopClock, store: ObjectStore | None = None) -> None:
    from tests.provision.memory import MemoryStore

    store = store or MemoryStore()
    lease = Lease(store, PROJECT, deployment="d", owner=OWNER, clock=clock)
    _, applied = await deploy(store, lease, cloud.types(), desired, Story(), cancel=asyncio.Event(), clock=clock)
    if applied.outcome is not Outcome.SUCCEEDED:
        raise SystemExit(f"the deployment failed: {applied}")


def _python(*arguments: str) -> str:
    return subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def row(what: str, measured: str, bar: str, ratio: float | None) -> None:
    text = f"{what:58} {measured:>12}  {bar:>13}  {'' if ratio is None else f'{ratio:.2f}':>5}"
    sys.stdout.write(f"{text.rstrip()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--plan"]:
        _measure_plan(int(sys.argv[2]))
        sys.exit()
    sys.exit(main())

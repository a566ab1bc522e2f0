"""The crash matrix: a real cd process, killed by SIGKILL at every boundary of its journal, one after the other.

A project of 20 resources on a cloud that survives its users (`filecloud.py`). For each journey (up from nothing, a change with
updates and replacements, down, going on after a death, beginning a new generation of the journal) every boundary that a clean
run crosses is hit once; each time the next deployment, with no manual step between, must make it as if nothing had happened,
and one more must find nothing to do. `python -m tests.crash.matrix [--every N]` prints the table.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from queue import Empty, SimpleQueue

from defang_nb.client import api
from defang_nb.client.deployment import Deployment
from defang_nb.errors import LeaseHeldError
from defang_nb.model.events import Outcome
from defang_nb.model.stack import Stack
from defang_nb.providers.local.launcher import Launcher
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.journal import End
from defang_nb.provision.lease import Lease
from defang_nb.provision.state import SNAPSHOT_AFTER, State
from tests.crash.filecloud import ROOT, Cloud, install

PROJECT = "app"


def compose(zone: str, version: str, last: str) -> str:
    """Nine services: with their addresses, a net and a disk that is 20 resources."""
    services = {
        "db": {"labels": {"zone": zone, "disk": "yes"}},
        "cache": {},
        "migrate": {"depends_on": ["db"]},
        "api": {"labels": {"version": version}, "depends_on": ["migrate", "cache"]},
        "admin": {"labels": {"version": version}, "depends_on": ["migrate"]},
        "mail": {},
        "search": {},
        "web": {"depends_on": ["api"]},
        last: {},
    }
    return json.dumps({"name": PROJECT, "services": {name: {"image": "x", **more} for name, more in services.items()}})


NOTHING = ""
FIRST = compose("a", "1", "old")
SECOND = compose("b", "2", "worker")


@dataclass(frozen=True)
class Journey:
    """From what to what; `dies_first` is a boundary at which an earlier run died; `long` asks for a long journal before."""

    name: str
    start: str
    target: str
    dies_first: str = ""
    long: bool = False
    only: tuple[str, ...] = ()


JOURNEYS = (
    Journey("up", NOTHING, FIRST),
    Journey("change", FIRST, SECOND),
    Journey("down", SECOND, NOTHING),
    Journey("going on", NOTHING, FIRST, dies_first="after call create app/service/migrate"),
    Journey("compaction", FIRST, SECOND, long=True, only=("snapshot", "head")),
)


@dataclass
class Tally:
    """What came of one journey's boundaries. All but the first two must be 0."""

    boundaries: int = 0
    killed: int = 0
    missed: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    unlocks: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    restless: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [*self.missed, *self.orphans, *self.duplicates, *self.unlocks, *self.unfinished, *self.restless]


class Lane:
    """One stack, and its cloud. Lanes go side by side."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.root = folder / name
        self.folder = folder
        (folder / ".defang").mkdir(exist_ok=True)
        (folder / ".defang" / name).write_text(f"DEFANG_PROVIDER=filecloud\n{ROOT}={self.root}\nDEFANG_CD_IDLE=20\n")
        self.cloud = Cloud(self.root)
        self.store = FileStore(self.root / "store")
        self.at = NOTHING

    def deploy(self, target: str) -> Deployment:
        if target:
            started = api.start_up(text=target, stack=self.name, working_dir=self.folder)
        else:
            started = api.start_down(PROJECT, stack=self.name, working_dir=self.folder)
        return started.wait(120, check=False)

    def bring(self, target: str) -> None:
        deployment = self.deploy(target)
        assert deployment.outcome is Outcome.SUCCEEDED, (self.name, deployment.view.message)
        self.at = target

    def die(self, target: str, boundary: str) -> bool:
        """Deploy, and die there; whether it did."""
        (self.root / "kill").write_text(boundary)
        self.deploy(target)
        dead = not (self.root / "kill").exists()
        (self.root / "kill").unlink(missing_ok=True)
        return dead

    def prepare(self, journey: Journey) -> None:
        if self.at != journey.start:
            self.bring(journey.start)
        if journey.long:
            asyncio.run(self._lengthen())
        if journey.dies_first:
            assert self.die(journey.target, journey.dies_first)
        (self.root / "crossed").unlink(missing_ok=True)
        (self.root / "calls").unlink(missing_ok=True)

    async def _lengthen(self) -> None:
        """Make the journal so long that the next deployment begins a new generation."""
        async with Lease(self.store, PROJECT, deployment="long") as lease:
            state = await State.open(self.store, PROJECT, lease=lease)
            record = next(iter(state.recorded.values()))
            for _ in range(SNAPSHOT_AFTER + 1):
                await state.append(End(urn=record.urn, recorded=record, deployment="long", time=0.0))

    def record(self, journey: Journey) -> tuple[list[str], Counter[str]]:
        """The boundaries of a clean run, in order, and the calls that it makes."""
        self.prepare(journey)
        self.bring(journey.target)
        crossed = dict.fromkeys((self.root / "crossed").read_text().splitlines())
        wanted = [name for name in crossed if not journey.only or any(word in name for word in journey.only)]
        # What is too old is removed when it is over: who dies there has told its end (tests/provision/test_generations.py).
        wanted = [name for name in wanted if " old " not in name]
        return wanted, Counter(self.cloud.calls())

    def round(self, journey: Journey, boundary: str, calls: Counter[str], tally: Tally) -> None:
        self.prepare(journey)
        if not self.die(journey.target, boundary):
            tally.missed.append(boundary)
        else:
            tally.killed += 1
        after = self.deploy(journey.target)
        if after.outcome is not Outcome.SUCCEEDED:
            held = after._failure().exit_code == LeaseHeldError.exit_code
            (tally.unlocks if held else tally.unfinished).append(f"{boundary}: {after.view.message}")
            after = self.deploy(journey.target)
        self.at = journey.target if after.outcome is Outcome.SUCCEEDED else "?"
        self._judge(boundary, calls, tally)
        self._look_again(journey, boundary, tally)

    def _judge(self, boundary: str, calls: Counter[str], tally: Tally) -> None:
        things, recorded = self.cloud.things(), self._recorded()
        tally.orphans += [f"{boundary}: {id_} of {thing['urn']}" for id_, thing in things.items() if id_ not in recorded]
        tally.orphans += [f"{boundary}: {id_} is recorded and gone" for id_ in recorded if id_ not in things]
        live = Counter(str(thing["urn"]) for thing in things.values())
        made = Counter(self.cloud.calls()) - calls
        twice = [urn for urn, count in live.items() if count > 1] + [call for call in made if call.startswith("create ")]
        tally.duplicates += [f"{boundary}: {each}" for each in twice]

    def _look_again(self, journey: Journey, boundary: str, tally: Tally) -> None:
        """One more deployment changes nothing, in the cloud or in the record."""
        before = (self.cloud.things(), len(self.cloud.calls()), self._recorded())
        known = self._journal()
        again = self.deploy(journey.target)
        after = (self.cloud.things(), len(self.cloud.calls()), self._recorded())
        wrote = self._journal() - known
        if before != after or wrote or again.view.message != "nothing to change":
            tally.restless.append(f"{boundary}: {again.view.message}; wrote {sorted(wrote)}")

    def _recorded(self) -> set[str]:
        state = asyncio.run(State.open(self.store, PROJECT))
        assert not state.pending
        return {each.id for each in state.recorded.values()}

    def _journal(self) -> set[str]:
        return set(asyncio.run(self.store.list(f"projects/{PROJECT}/state/journal/")))

    def end(self) -> None:
        asyncio.run(Launcher(Stack(name=self.name)).stop())


Round = tuple[Journey, str]


def run(folder: Path, *, every: int = 1, lanes: int = 4) -> dict[str, Tally]:
    """Hit each boundary (or only each `every`th). `prepared` must have been entered."""
    first = Lane(folder, "lane0")
    known = {journey.name: first.record(journey) for journey in JOURNEYS}
    tallies = {journey.name: Tally() for journey in JOURNEYS}
    work: SimpleQueue[list[Round]] = SimpleQueue()
    for batch in _batches({name: _chosen(boundaries, every) for name, (boundaries, _) in known.items()}):
        work.put(batch)
        for journey, _ in batch:
            tallies[journey.name].boundaries += 1

    broken: list[BaseException] = []

    def go(lane: Lane) -> None:
        try:
            with contextlib.suppress(Empty):
                while not broken:
                    for journey, boundary in work.get_nowait():
                        lane.round(journey, boundary, known[journey.name][1], tallies[journey.name])
        except BaseException as error:  # noqa: BLE001 - told below, by the thread that waits
            broken.append(error)
        finally:
            lane.end()

    threads = [
        threading.Thread(target=go, args=(lane,)) for lane in [first, *(Lane(folder, f"lane{n}") for n in range(1, lanes))]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return tallies


def _chosen(boundaries: Sequence[str], every: int) -> list[str]:
    """Each `every`th, from another one on in each journey."""
    step = max(1, min(every, len(boundaries)))
    return list(boundaries[(len(boundaries) - 1) % step :: step])


def _batches(boundaries: dict[str, list[str]]) -> Iterator[list[Round]]:
    """Rounds that begin where the one before ended come together."""
    by_name = {journey.name: journey for journey in JOURNEYS}
    cycle = [by_name[name] for name in ("up", "change", "down")]
    for row in zip_longest(*(boundaries[journey.name] for journey in cycle)):
        yield [(journey, boundary) for journey, boundary in zip(cycle, row, strict=True) if boundary]
    for name, boundary in chain.from_iterable(
        ((name, each) for each in boundaries[name]) for name in ("going on", "compaction")
    ):
        yield [(by_name[name], boundary)]


@contextlib.contextmanager
def prepared() -> Iterator[Path]:
    """A folder for all of it, where this process and those that it starts find the cloud's provider."""
    with tempfile.TemporaryDirectory(prefix="defang-nb-crash-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        before = dict(os.environ)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [install(folder / "plugin"), before.get("PYTHONPATH")]))
        os.environ["DEFANG_NB_HOME"] = str(folder / "home")
        os.environ["DEFANG_ENGINE"] = "process"
        sys.path.insert(0, str(folder / "plugin"))
        try:
            yield folder
        finally:
            sys.path.remove(str(folder / "plugin"))
            os.environ.clear()
            os.environ.update(before)


def table(tallies: dict[str, Tally]) -> str:
    head = ("journey", "boundaries", "killed at", "orphans", "duplicates", "unlocks", "not finished", "not at rest")
    rows = [
        (
            name,
            *map(
                str, (it.boundaries, it.killed, *map(len, (it.orphans, it.duplicates, it.unlocks, it.unfinished, it.restless)))
            ),
        )
        for name, it in tallies.items()
    ]
    total = ("all", *(str(sum(int(row[at]) for row in rows)) for at in range(1, len(head))))
    widths = [max(len(row[at]) for row in (head, *rows, total)) for at in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows, total)]
    faults = [f"  {name}: {fault}" for name, it in tallies.items() for fault in it.faults]
    return "\n".join([*lines, *faults])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="hit only one of so many boundaries")
    parser.add_argument("--lanes", type=int, default=4, help="stacks that go side by side")
    options = parser.parse_args()
    begun = time.monotonic()
    with prepared() as folder:
        tallies = run(folder, every=options.every, lanes=options.lanes)
    print(table(tallies))
    print(f"{time.monotonic() - begun:.0f} s")
    whole = all(it.killed == it.boundaries and not it.faults for it in tallies.values())
    return 0 if whole else 1


if __name__ == "__main__":
    raise SystemExit(main())

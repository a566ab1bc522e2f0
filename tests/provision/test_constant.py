"""An `up` of what did not change: nothing is changed, and as much is read for a large project as for a small one."""

from __future__ import annotations

from collections import Counter

import pytest

from defang_nb.model.resource import Need, Resource
from defang_nb.provision.lease import lease_key
from defang_nb.provision.ports import Stored
from defang_nb.provision.state import COMPACT_AFTER
from tests.provision.fakecloud import PROJECT, Line, a
from tests.provision.memory import MemoryStore
from tests.provision.run import World


class CountingStore(MemoryStore):
    """`reads` are those that were made, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    async def get(self, key: str) -> Stored | None:
        self.reads["get"] += 1
        return await super().get(key)

    async def list(self, prefix: str) -> list[str]:
        self.reads["list"] += 1
        return await super().list(prefix)


def project(services: int) -> list[Resource]:
    net = a("net", "n")
    images = [a("image", f"i{n}") for n in range(services)]
    return [net, *images, *(a("service", f"s{n}", needs={net.urn: Need.READY}) for n in range(services))]


async def second_up(services: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], int]:
    """What a second `up` reads of the store, and how often it asks the cloud; that it changes nothing is checked."""
    world, store = World(), CountingStore()
    world.store = store
    await world.deploy(project(services))
    asked = 0
    read = Line.read

    async def counted(line: Line, look: object) -> object:
        nonlocal asked
        asked += 1
        return await read(line, look)  # type: ignore[arg-type]

    monkeypatch.setattr(Line, "read", counted)
    for seen in (store.reads, store.writes, world.cloud.calls):
        seen.clear()
    await world.deploy(project(services))
    monkeypatch.undo()
    assert world.plan.mutations == ()
    assert world.cloud.calls == []
    assert set(store.writes) == {lease_key(PROJECT)}, "the lease is taken and given back, and nothing else is written"
    return store.reads, asked


async def test_it_changes_nothing_and_reads_as_much_of_two_services_as_of_two_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    few, asked_for_few = await second_up(2, monkeypatch)
    many, asked_for_many = await second_up(200, monkeypatch)
    assert asked_for_few == asked_for_many == 3, "one bulk read for each type"
    assert few.total() <= 4 + COMPACT_AFTER
    assert many.total() <= 4 + COMPACT_AFTER


async def test_what_is_read_does_not_grow_with_the_number_of_deployments() -> None:
    world, store = World(), CountingStore()
    world.store = store
    for n in range(30):
        store.reads.clear()
        await world.deploy([a("service", "web", image=str(n))])
        assert store.reads.total() <= 8 + 2 * COMPACT_AFTER

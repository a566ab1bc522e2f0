"""What every object store must do, since the engine relies on it. A store's own tests add a fixture, and nothing else:

class TestBucket(StoreConformance):
    @pytest.fixture
    def store(self) -> ObjectStore: ...
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from defang_nb.errors import NotFoundError
from defang_nb.model.plan import Action
from defang_nb.provision.bootstrap import bootstrap, probe
from defang_nb.provision.journal import Begin
from defang_nb.provision.lease import Lease, LeaseLostError
from defang_nb.provision.ports import ConflictError, ObjectStore
from defang_nb.provision.state import State
from tests.provision.run import OWNER, Forever


class StoreConformance:
    many = 1100
    """More keys than one page of a listing holds, with the usual stores."""

    async def test_keeps_to_conditions_as_a_bootstrap_finds(self, store: ObjectStore) -> None:
        await bootstrap(store)
        assert await store.list("") == ["bootstrap.json"]
        await bootstrap(store)
        await probe(store)

    async def test_gives_back_what_was_put(self, store: ObjectStore) -> None:
        version = await store.put("a/b", b"one")
        found = await store.get("a/b")
        assert found is not None
        assert (found.data, found.version) == (b"one", version)
        await store.put("a/b", b"")
        found = await store.get("a/b")
        assert found is not None
        assert found.data == b""

    async def test_what_is_not_there_is_none(self, store: ObjectStore) -> None:
        assert await store.get("a/b") is None
        assert await store.list("a/") == []

    async def test_a_folder_of_keys_is_no_object(self, store: ObjectStore) -> None:
        await store.put("a/b", b"")
        assert await store.get("a") is None
        assert await store.get("a/b/c") is None

    async def test_each_content_has_its_own_version(self, store: ObjectStore) -> None:
        assert await store.put("a", b"one") != await store.put("a", b"two")

    async def test_lists_in_order_by_any_prefix(self, store: ObjectStore) -> None:
        for key in ("p/2", "p/10", "p/1/x", "q/1", "pp"):
            await store.put(key, b"")
        assert await store.list("p/") == ["p/1/x", "p/10", "p/2"]
        assert await store.list("p/1") == ["p/1/x", "p/10"]
        assert await store.list("") == ["p/1/x", "p/10", "p/2", "pp", "q/1"]

    async def test_lists_all_of_many(self, store: ObjectStore) -> None:
        keys = [f"many/{n:05}" for n in range(self.many)]
        for at in range(0, len(keys), 50):
            await asyncio.gather(*(store.put(key, b"") for key in keys[at : at + 50]))
        assert await store.list("many/") == keys

    async def test_if_absent_holds(self, store: ObjectStore) -> None:
        await store.put("a", b"one", if_absent=True)
        with pytest.raises(ConflictError):
            await store.put("a", b"two", if_absent=True)
        await store.delete("a")
        await store.put("a", b"three", if_absent=True)

    async def test_if_match_holds(self, store: ObjectStore) -> None:
        first = await store.put("a", b"one")
        second = await store.put("a", b"two", if_match=first)
        with pytest.raises(ConflictError):
            await store.put("a", b"three", if_match=first)
        with pytest.raises(ConflictError):
            await store.delete("a", if_match=first)
        await store.delete("a", if_match=second)
        with pytest.raises(ConflictError):
            await store.put("a", b"four", if_match=second)
        with pytest.raises(ConflictError):
            await store.delete("a", if_match=second)
        assert await store.get("a") is None

    async def test_a_version_that_was_read_can_be_named(self, store: ObjectStore) -> None:
        await store.put("a", b"one")
        found = await store.get("a")
        assert found is not None
        await store.put("a", b"two", if_match=found.version)

    async def test_deleting_what_is_gone_is_fine(self, store: ObjectStore) -> None:
        await store.delete("a")

    async def test_moves_files_up_and_down(self, store: ObjectStore, tmp_path: Path) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(b"x" * 3_000_000)
        await store.upload("archives/1", source)
        await store.download("archives/1", target)
        assert target.read_bytes() == source.read_bytes()
        with pytest.raises(NotFoundError):
            await store.download("archives/2", target)

    async def test_of_many_that_want_to_be_first_one_is(self, store: ObjectStore) -> None:
        results = await asyncio.gather(*(_first(store, f"{n}") for n in range(24)))
        assert results.count(True) == 1
        found = await store.get("lease")
        assert found is not None
        assert found.data == str(results.index(True)).encode()

    async def test_no_increment_by_compare_and_swap_is_lost(self, store: ObjectStore) -> None:
        await store.put("count", b"0")
        await asyncio.gather(*(_increment(store) for _ in range(12)))
        found = await store.get("count")
        assert found is not None
        assert found.data == b"12"

    async def test_state_and_lease_stand_on_it(self, store: ObjectStore) -> None:
        """Written, read again, taken over from a holder that seemed dead, who can write no more."""
        clock = Forever()
        async with Lease(store, "app", deployment="one", owner=OWNER, clock=Forever()) as lease:
            late = await State.open(store, "app", lease=lease)
            await late.append(_begin("a"))
            clock.time += 60.0
            async with Lease(store, "app", deployment="two", owner=OWNER, clock=clock) as other:
                state = await State.open(store, "app", lease=other)
                assert [each.token for each in state.pending] == ["a"]
                with pytest.raises(LeaseLostError):
                    await late.append(_begin("b"))
                await state.append(_begin("c"))
        assert [each.token for each in (await State.open(store, "app")).pending] == ["a", "c"]


def _begin(token: str) -> Begin:
    return Begin(token=token, urn="app/service/web", action=Action.CREATE, deployment="d", time=1.0)


async def _first(store: ObjectStore, who: str) -> bool:
    try:
        await store.put("lease", who.encode(), if_absent=True)
    except ConflictError:
        return False
    return True


async def _increment(store: ObjectStore) -> None:
    while True:
        found = await store.get("count")
        assert found is not None
        try:
            await store.put("count", b"%d" % (int(found.data) + 1), if_match=found.version)
        except ConflictError:
            continue
        return

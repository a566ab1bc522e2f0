"""One contract, two stores: what the engine relies on must hold on a folder as it does in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from defang_nb.errors import NotFoundError, ProviderError, UsageError
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.ports import ConflictError, ObjectStore
from tests.provision.memory import MemoryStore


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return FileStore(tmp_path / "store") if request.param == "folder" else MemoryStore()


class TestEveryStore:
    async def test_gives_back_what_was_put(self, store: ObjectStore) -> None:
        version = await store.put("a/b", b"one")
        found = await store.get("a/b")
        assert found is not None
        assert (found.data, found.version) == (b"one", version)

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
        assert await store.get("a") is None

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


_RACE = """
import asyncio, sys
from pathlib import Path
from defang_nb.provision.ports import ConflictError
from defang_nb.providers.local.store import FileStore

async def main():
    store, who, won = FileStore(Path(sys.argv[1])), sys.argv[2], 0
    sys.stdin.readline()
    for round in range(50):
        try:
            await store.put(f"epochs/{round}", who.encode(), if_absent=True)
            won += 1
        except ConflictError:
            pass
        while True:
            found = await store.get("count")
            try:
                await store.put("count", b"%d" % (int(found.data) + 1), if_match=found.version)
                break
            except ConflictError:
                pass
    print(won)

asyncio.run(main())
"""


class TestFolders:
    async def test_conditions_hold_between_processes(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "store")
        await store.put("count", b"0")
        won = await asyncio.to_thread(_race, tmp_path / "store")
        assert sum(won) == 50
        found = await store.get("count")
        assert found is not None
        assert found.data == b"150"

    async def test_a_write_that_fails_leaves_the_old_content_and_no_litter(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "store")
        await store.put("a", b"old")
        with pytest.raises(ProviderError, match=r"No such file"):
            await store.upload("a", tmp_path / "missing")
        found = await store.get("a")
        assert found is not None
        assert found.data == b"old"
        assert list((tmp_path / "store" / ".tmp").iterdir()) == []

    async def test_what_it_keeps_for_itself_is_not_listed(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "store")
        await store.put("a", b"")
        assert await store.list("") == ["a"]

    @pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../../b", ".locks/00", "a/", "a\0b"])
    async def test_a_key_never_leads_out_of_the_folder(self, tmp_path: Path, key: str) -> None:
        store = FileStore(tmp_path / "store")
        with pytest.raises(UsageError):
            await store.put(key, b"")
        with pytest.raises(UsageError):
            await store.get(key)

    async def test_nobody_else_can_read_it(self, tmp_path: Path) -> None:
        await FileStore(tmp_path / "store").put("a/b", b"")
        assert (tmp_path / "store").stat().st_mode & 0o077 == 0
        assert (tmp_path / "store/a/b").stat().st_mode & 0o077 == 0


def _race(root: Path) -> list[int]:
    """How many keys each of three processes was first to write. They begin together: each waits for a line."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACE, str(root), str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(3)
    ]
    for racer in racers[1:]:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return [int(racer.communicate("go\n", timeout=60)[0]) for racer in racers]

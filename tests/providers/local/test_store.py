"""One contract, two stores: what the engine relies on must hold on a folder as it does in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.ports import ObjectStore
from tests.providers.store_conformance import StoreConformance
from tests.provision.memory import MemoryStore


class TestFolder(StoreConformance):
    many = 100

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return FileStore(tmp_path / "store")


class TestMemory(StoreConformance):
    """What the engine's own tests use in a store's place must be one."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()


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

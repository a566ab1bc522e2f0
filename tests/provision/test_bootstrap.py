"""A store that ignores conditions is refused before anything is written to it."""

from __future__ import annotations

from typing import Any

import pytest

from defang_nb.errors import ProviderError
from defang_nb.provision.bootstrap import bootstrap
from defang_nb.provision.ports import Stored
from tests.provision.memory import MemoryStore


class Careless(MemoryStore):
    """Ignores the conditions named in `ignored`, as some stores do."""

    def __init__(self, *ignored: str) -> None:
        super().__init__()
        self.ignored = ignored

    async def put(self, key: str, data: bytes, **conditions: Any) -> str:
        return await super().put(key, data, **{name: it for name, it in conditions.items() if name not in self.ignored})

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        await super().delete(key, if_match=None if "delete" in self.ignored else if_match)


@pytest.mark.parametrize(
    ("ignored", "said"),
    [
        ("if_absent", "where there should be none yet"),
        ("if_match", "wrote over another version"),
        ("delete", "deleted another"),
    ],
)
async def test_a_store_that_ignores_a_condition(ignored: str, said: str) -> None:
    store = Careless(ignored)
    with pytest.raises(ProviderError, match=said) as caught:
        await bootstrap(store)
    assert "conditional writes" in caught.value.hint
    assert store.objects == {}


class Stale(MemoryStore):
    """Reads what was there one write ago."""

    async def get(self, key: str) -> Stored | None:
        return Stored(data=b"old", version="0") if key.startswith("probe/") else await super().get(key)


async def test_a_store_whose_reads_are_stale() -> None:
    with pytest.raises(ProviderError, match="does not give back what was written last"):
        await bootstrap(Stale())

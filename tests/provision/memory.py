"""An object store in memory: what the engine's tests keep their state in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from defang_nb.errors import NotFoundError
from defang_nb.provision.ports import ConflictError, Stored


class MemoryStore:
    """`before` and `after` are called with ("put" | "delete", key) around each change, and may raise to make it fail."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.writes: list[str] = []
        self.before: Callable[[str, str], None] = lambda verb, key: None
        self.after: Callable[[str, str], None] = lambda verb, key: None
        self._version = 0

    async def get(self, key: str) -> Stored | None:
        return self.objects.get(key)

    async def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        self.before("put", key)
        version = self.write(key, data, if_match, if_absent)
        self.after("put", key)
        return version

    def write(self, key: str, data: bytes, if_match: str | None, if_absent: bool) -> str:
        known = self.objects.get(key)
        if (if_absent and known) or (if_match is not None and (known is None or known.version != if_match)):
            raise ConflictError(key)
        self._version += 1
        self.objects[key] = Stored(data=data, version=str(self._version))
        self.writes.append(key)
        return str(self._version)

    async def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        self.before("delete", key)
        self.remove(key, if_match)
        self.after("delete", key)

    def remove(self, key: str, if_match: str | None) -> None:
        known = self.objects.get(key)
        if if_match is not None and (known is None or known.version != if_match):
            raise ConflictError(key)
        self.objects.pop(key, None)
        self.writes.append(key)

    async def upload(self, key: str, path: Path) -> None:
        await self.put(key, await asyncio.to_thread(path.read_bytes))

    async def download(self, key: str, path: Path) -> None:
        found = await self.get(key)
        if found is None:
            raise NotFoundError(f"there is no object {key!r}")
        await asyncio.to_thread(path.write_bytes, found.data)

"""Configuration values (secrets) on this machine: one 0600 file a project in a 0700 folder, which nobody else can read."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from defang_nb.errors import ProviderError
from defang_nb.providers.local.paths import private
from defang_nb.providers.values import checked_key, checked_project, keyed_digests

_DIGEST_KEY = ".digest-key"
_LOCK = ".lock"


class FileConfigStore:
    """A `ConfigStore` in `folder`. Methods raise `UsageError` for a bad name, `ProviderError` when the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def set(self, project: str, key: str, value: str) -> None:
        await asyncio.to_thread(self._set, project, key, value)

    async def names(self, project: str) -> list[str]:
        return sorted(await asyncio.to_thread(self.values, project))

    async def remove(self, project: str, key: str) -> bool:
        return await asyncio.to_thread(self._remove, project, key)

    async def digests(self, project: str) -> Mapping[str, str]:
        return await asyncio.to_thread(self._digests, project)

    def values(self, project: str) -> dict[str, str]:
        """The values themselves. For the launcher of services, and nobody else."""
        path = self._path(project)
        try:
            values: dict[str, str] = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            # Without the error itself: a JSON error holds the file's text.
            raise ProviderError(f"can't read the configuration in {path}", hint="remove it, and set the values anew") from None
        return values

    def _set(self, project: str, key: str, value: str) -> None:
        checked_key(key)
        path = self._path(project)
        with self._locked():
            _write(path, json.dumps({**self.values(project), key: value}, indent=1).encode())

    def _remove(self, project: str, key: str) -> bool:
        path = self._path(project)
        if not path.exists():
            return False
        with self._locked():
            values = self.values(project)
            if key not in values:
                return False
            del values[key]
            if values:
                _write(path, json.dumps(values, indent=1).encode())
            else:
                path.unlink()
            return True

    def _digests(self, project: str) -> dict[str, str]:
        values = self.values(project)
        if not values:
            return {}
        return keyed_digests(self._digest_key(), project, values)

    def _digest_key(self) -> bytes:
        """This stack's own key: without it, digests of short secrets could be guessed from the state."""
        path = self._folder / _DIGEST_KEY
        with self._locked():
            try:
                return path.read_bytes()
            except FileNotFoundError:
                key = secrets.token_bytes(32)
                _write(path, key)
                return key

    def _path(self, project: str) -> Path:
        return self._folder / f"{checked_project(project)}.json"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with (private(self._folder) / _LOCK).open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ProviderError(f"can't keep configuration values in {self._folder}: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    """Atomically, and 0600 from the first byte on (`mkstemp` makes it so)."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
    finally:
        Path(name).unlink(missing_ok=True)

"""An object store that is a folder: each key is a file, written whole or not at all.

A write goes to a temporary file, is synced, and takes its place by a rename; what makes the conditions hold between threads and
processes is a file lock for each key. An object's version is the digest of its content.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from defang_nb.errors import NotFoundError, ProviderError, UsageError
from defang_nb.providers.local.paths import private
from defang_nb.provision.ports import ConflictError, Stored

_TEMPORARY = ".tmp"
_LOCKS = ".locks"


class FileStore:
    """An `ObjectStore` in the folder `root`, which is made when first written to. A key can't also be the folder of other keys.

    All methods raise `ProviderError` when the disk refuses, and `UsageError` for a key that can't be a file's name.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def get(self, key: str) -> Stored | None:
        return await asyncio.to_thread(self._get, key)

    async def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        return await asyncio.to_thread(self._put, key, data, if_match, if_absent)

    async def list(self, prefix: str) -> list[str]:
        return sorted(await asyncio.to_thread(self._keys, prefix))

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        await asyncio.to_thread(self._delete, key, if_match)

    async def upload(self, key: str, path: Path) -> None:
        await asyncio.to_thread(self._upload, key, path)

    async def download(self, key: str, path: Path) -> None:
        await asyncio.to_thread(self._download, key, path)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or parts[0].startswith("."):
            raise UsageError(f"{key!r} can't be the key of an object")
        return self._root.joinpath(*parts)

    def _get(self, key: str) -> Stored | None:
        path = self._path(key)
        with _explained(f"can't read {path}"):
            return _read(path)

    def _put(self, key: str, data: bytes, if_match: str | None, if_absent: bool) -> str:
        path = self._path(key)
        with _explained(f"can't write {path}"), self._locked(key):
            if if_absent and path.exists():
                raise ConflictError(key)
            if if_match is not None and _version(path) != if_match:
                raise ConflictError(key)
            with self._replacing(path) as temporary:
                temporary.write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def _keys(self, prefix: str) -> set[str]:
        folder, _, _ = prefix.rpartition("/")
        top = self._path(folder) if folder else self._root
        with _explained(f"can't list {top}"):
            return {key for key in self._walk(top) if key.startswith(prefix)}

    def _walk(self, top: Path) -> Iterator[str]:
        for where, folders, files in os.walk(top):
            if Path(where) == self._root:
                folders[:] = [name for name in folders if not name.startswith(".")]
            base = Path(where).relative_to(self._root)
            for name in files:
                yield (base / name).as_posix()

    def _delete(self, key: str, if_match: str | None) -> None:
        path = self._path(key)
        with _explained(f"can't remove {path}"), self._locked(key):
            if if_match is not None and _version(path) != if_match:
                raise ConflictError(key)
            path.unlink(missing_ok=True)

    def _upload(self, key: str, source: Path) -> None:
        path = self._path(key)
        with _explained(f"can't copy {source} to {path}"), self._locked(key), self._replacing(path) as temporary:
            shutil.copyfile(source, temporary)

    def _download(self, key: str, target: Path) -> None:
        path = self._path(key)
        if not path.is_file():
            raise NotFoundError(f"there is no object {key!r} in {self._root}")
        with _explained(f"can't copy {path} to {target}"):
            shutil.copyfile(path, target)

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Nobody else writes `key`. Keys share 256 lock files, so that these don't grow in number."""
        folder = private(self._root) / _LOCKS
        folder.mkdir(exist_ok=True, mode=0o700)
        with (folder / hashlib.sha256(key.encode()).hexdigest()[:2]).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _replacing(self, path: Path) -> Iterator[Path]:
        """A temporary file to fill; then it is synced, and takes the place of `path` at once."""
        folder = self._root / _TEMPORARY
        folder.mkdir(exist_ok=True, mode=0o700)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=folder)
        temporary = Path(name)
        try:
            yield temporary
            os.fsync(handle)
            temporary.rename(path)
        finally:
            os.close(handle)
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _read(path: Path) -> Stored | None:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return Stored(data=data, version=hashlib.sha256(data).hexdigest())


def _version(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sync_folder(folder: Path) -> None:
    """A rename is durable once the folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProviderError(f"{what}: {error.strerror or error}") from error

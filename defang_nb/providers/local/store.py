"""An object store that is a folder: each key is a file, written whole or not at all.

A write goes to a temporary file, is synced, and takes its place: by a hard link where nothing may be there yet, which of many
only one can make; else by a rename. What makes the other condition hold between threads and processes is a file lock for each
key, held for no longer than a look and a rename take: a process that is stopped (SIGSTOP) must not stop the others with it. An
object's version is the digest of its content.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from defang_nb.errors import NotFoundError, ProviderError, UsageError
from defang_nb.providers.local.paths import private
from defang_nb.provision.ports import ConflictError, Stored

_TEMPORARY = ".tmp"
_LOCKS = ".locks"
_PATIENCE = 20.0
"""Seconds to wait for a lock, which nobody needs for more than a few milliseconds."""
_LITTER = 24 * 3600.0
"""Seconds after which a temporary file is nobody's any more."""
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""What a file system that has no hard links answers."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


class FileStore:
    """An `ObjectStore` in the folder `root`, which is made when first written to. A key can't also be the folder of other keys.

    All methods raise `ProviderError` when the disk refuses, and `UsageError` for a key that can't be a file's name.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._swept = False

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
        with _explained(f"can't write {path}"), self._draft(path, lambda draft: draft.write_bytes(data)) as draft:
            if if_absent:
                self._take(key, path, draft)
            else:
                with self._locked(key):
                    if if_match is not None and _version(path) != if_match:
                        raise ConflictError(key)
                    draft.rename(path)
            _sync_folder(path.parent)
        return hashlib.sha256(data).hexdigest()

    def _take(self, key: str, path: Path, draft: Path) -> None:
        """Have `draft` be `path`, where nothing is yet."""
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            raise ConflictError(key) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with self._locked(key):
                if path.exists():
                    raise ConflictError(key) from None
                draft.rename(path)

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
        what = f"can't copy {source} to {path}"
        with _explained(what), self._draft(path, lambda draft: shutil.copyfile(source, draft)) as draft:
            with self._locked(key):
                draft.rename(path)
            _sync_folder(path.parent)

    def _download(self, key: str, target: Path) -> None:
        path = self._path(key)
        if not path.is_file():
            raise NotFoundError(f"there is no object {key!r} in {self._root}")
        with _explained(f"can't copy {path} to {target}"):
            shutil.copyfile(path, target)

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Nobody else changes `key`. Keys share 256 lock files, so that these don't grow in number."""
        folder = private(self._root) / _LOCKS
        folder.mkdir(exist_ok=True, mode=0o700)
        with (folder / hashlib.sha256(key.encode()).hexdigest()[:2]).open("a+b") as lock:
            _lock(lock)
            lock.truncate(0)
            lock.write(b"%d" % os.getpid())
            lock.flush()
            yield

    @contextlib.contextmanager
    def _draft(self, path: Path, fill: Callable[[Path], object]) -> Iterator[Path]:
        """A temporary file, filled and synced, that is to become `path`; gone afterwards, whatever became of it."""
        folder = self._root / _TEMPORARY
        if not self._swept or not folder.is_dir():
            private(self._root)
            folder.mkdir(exist_ok=True, mode=0o700)
            _sweep(folder)
            self._swept = True
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=folder)
        draft = Path(name)
        try:
            fill(draft)
            os.fsync(handle)
            yield draft
        finally:
            os.close(handle)
            draft.unlink(missing_ok=True)


def _lock(file: IO[bytes]) -> None:
    """Raises `ProviderError` when it is not to be had: then its holder is stopped, since nobody needs it for long."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.seek(0)
                holder = file.read(20).decode(errors="replace") or "unknown"
                raise ProviderError(
                    f"process {holder} has held a lock of the store for {_PATIENCE:g} s: it seems to be stopped",
                    hint=f"let it go on (kill -CONT {holder}), or end it",
                ) from None
            time.sleep(0.002)
        else:
            return


def _sweep(folder: Path) -> None:
    """Delete the drafts of processes that were killed long ago."""
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            if time.time() - each.stat().st_mtime > _LITTER:
                each.unlink(missing_ok=True)


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
        raise ProviderError(f"{what}: {error.strerror or error}", hint=_way_out(error)) from error


def _way_out(error: OSError) -> str:
    if error.errno in _FULL:
        return "make room on the disk, and run it again: nothing that was recorded is lost"
    if error.errno in _REFUSED:
        return "make that place writable for you, or set DEFANG_NB_HOME to one that is, and run it again"
    return ""

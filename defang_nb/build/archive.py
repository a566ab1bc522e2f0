"""A context as a reproducible tar.gz, and back: one manifest gives the same bytes always; unpacking never leaves its folder."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from defang_nb.build.context import Entry, Manifest, leads_out
from defang_nb.errors import BuildError

_CHUNK = 256 * 1024


def archive(manifest: Manifest, path: Path) -> None:
    """Write `manifest`'s files to `path`: sorted, times 0, owner 0, links as links; with memory for one chunk.

    Raises `BuildError` when a file is no longer what the manifest says.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for entry in manifest.entries:
                _add(tar, Path(manifest.context), entry)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def unpack(path: Path, into: Path) -> None:
    """Write what is in the archive at `path` below `into` (made when missing).

    Nothing is written outside of `into`: an archive that tries is refused with `BuildError`; links that lead out are left away.
    """
    into.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(path, mode="r|gz") as tar:
            for member in tar:
                _extract(tar, member, into)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise BuildError(
            f"the context archive {path.name} is damaged: {error}", hint="run up again: it is made anew"
        ) from error


def _add(tar: tarfile.TarFile, context: Path, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    match entry.kind:
        case "folder":
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        case "link":
            info.type, info.linkname = tarfile.SYMTYPE, entry.target
            tar.addfile(info)
        case "file":
            info.size = entry.size
            try:
                with (context / entry.path).open("rb") as file:
                    reader = _Hashing(file)
                    tar.addfile(info, reader)
                    more = file.read(1)
            except OSError as error:
                raise BuildError(f"can't pack {context / entry.path}: {error}", hint=_AGAIN) from error
            if more or reader.digest.hexdigest() != entry.sha256:
                raise BuildError(f"{context / entry.path} changed while it was being packed", hint=_AGAIN)


_AGAIN = "run up again once nothing writes into the build context any more, or name the file in .dockerignore"


class _Hashing:
    """Reads a file and hashes what it read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.digest.update(data)
        return data


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    parts = PurePosixPath(member.name).parts
    if not parts or ".." in parts or member.name.startswith("/"):
        raise BuildError(f"the context archive holds {member.name!r}, which leads out of it")
    target = into.joinpath(*parts)
    if any(parent.is_symlink() for parent in [target, *target.parents][: len(parts)] if parent != target):
        raise BuildError(f"the context archive writes {member.name!r} through a link")
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        target.mkdir(exist_ok=True)
    elif member.issym():
        if not leads_out(member.name, member.linkname):
            target.unlink(missing_ok=True)
            target.symlink_to(member.linkname)
    elif member.isfile() and (source := tar.extractfile(member)):
        target.unlink(missing_ok=True)
        with source, target.open("xb") as file:
            while chunk := source.read(_CHUNK):
                file.write(chunk)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise BuildError(f"the context archive holds {member.name!r}, which is neither a file, a folder nor a link")

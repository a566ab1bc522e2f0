"""A context as a reproducible tar.gz, and back: one manifest gives the same bytes always; unpacking never leaves its folder."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from threading import Event

import msgspec

from defang_nb.build.compress import compress
from defang_nb.build.context import Entry, Manifest, leads_out
from defang_nb.errors import BuildError

_CHUNK = 256 * 1024
_DOWNLOADED = "context.tar.gz"
"""Kaniko puts what it downloads into the context itself, under this name, and `COPY . .` would carry it into the image."""


def archive(manifest: Manifest, path: Path, *, for_kaniko: bool = False, given_up: Event | None = None) -> None:
    """Write `manifest`'s files to `path`: sorted, times 0, owner 0, links as links; with memory for a few chunks.

    `for_kaniko`: for an executor that fetches it from an object store; its ignore file then names what is not to be copied.
    Once `given_up` is set it ends soon. Raises `BuildError` then, when a file is no longer what the manifest says, and when
    there is no room; then there is nothing at `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    if for_kaniko:
        manifest = _guarded(manifest)
    try:
        with temporary.open("wb") as raw:
            for piece in compress(_tar(manifest)):
                if given_up is not None and given_up.is_set():
                    raise BuildError(f"the packing of {manifest.context} was given up")
                raw.write(piece)
        temporary.replace(path)
    except OSError as error:
        message = f"can't pack {manifest.context} into {path.parent}: {error.strerror}"
        raise BuildError(message, hint="make room there, or name another folder in TMPDIR, and run up again") from error
    finally:
        temporary.unlink(missing_ok=True)


def _guarded(manifest: Manifest) -> Manifest:
    """With an ignore file that leaves the download out; where there is none, with one that leaves itself out too."""
    if any(entry.path == _DOWNLOADED for entry in manifest.entries):
        return manifest  # the context has such a file of its own, which takes the place of the download
    name = manifest.ignore_file or ".dockerignore"
    # As it was when it was digested: what it says now may be something else.
    text = manifest.ignore_text.rstrip()
    text = f"{text}\n{_DOWNLOADED}\n" if manifest.ignore_file else f"{_DOWNLOADED}\n{name}\n"
    data = text.encode(errors="surrogateescape")
    own = Entry(path=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    entries = sorted([*(each for each in manifest.entries if each.path != name), own], key=lambda each: each.path)
    return msgspec.structs.replace(manifest, entries=tuple(entries), inline={**manifest.inline, name: text})


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


_AGAIN = "run up again once nothing writes into the build context any more, or name the file in .dockerignore"


def _tar(manifest: Manifest) -> Iterator[bytes]:
    """The uncompressed archive, in pieces."""
    for entry in manifest.entries:
        yield _header(entry)
        if entry.kind == "file":
            content = manifest.inline.get(entry.path)
            path = f"{manifest.context}/{entry.path}"
            pieces = _read(path, entry.size) if content is None else [content.encode(errors="surrogateescape")]
            yield from _checked(pieces, entry, path)
            yield b"\0" * (-entry.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _read(path: str, size: int) -> Iterator[bytes]:
    """A file in pieces, with one more where it has grown. Without Python's file objects: most files are small."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            most = min(size + 1, _CHUNK)  # a larger buffer costs more than reading a small file does
            while data := os.read(descriptor, most):
                yield data
                if len(data) < most:
                    return
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BuildError(f"can't pack {path}: {error.strerror}", hint=_AGAIN) from error


def _checked(pieces: Iterable[bytes], entry: Entry, path: str) -> Iterator[bytes]:
    """The pieces, if they come to what the manifest says."""
    digest = hashlib.sha256()
    left = entry.size
    for data in pieces:
        digest.update(data)
        left -= len(data)
        if left < 0:
            break
        yield data
    if left or digest.hexdigest() != entry.sha256:
        raise BuildError(f"{path} changed while it was being packed", hint=_AGAIN)


_MODES = {"file": b"0", "link": b"2", "folder": b"5"}
_NOBODY = b"0000000\0"


def _header(entry: Entry) -> bytes:
    """A member's header (POSIX.1-1988 ustar); by hand where it fits into one block, which takes a tenth of `tarfile`'s time."""
    name, target = (f"{entry.path}/" if entry.kind == "folder" else entry.path).encode(), entry.target.encode()
    if len(name) > 100 or len(target) > 100 or entry.size >= 8**11 or not (name + target).isascii():
        return _long_header(entry)
    mode, size = f"{entry.mode:07o}\0".encode(), f"{entry.size:011o}\0".encode()
    front = b"".join((name.ljust(100, b"\0"), mode, _NOBODY, _NOBODY, size, b"00000000000\0"))
    back = b"".join((_MODES[entry.kind], target.ljust(100, b"\0"), b"ustar\x0000", b"\0" * 64, _NOBODY, _NOBODY, b"\0" * 167))
    total = (zlib.adler32(front + b" " * 8 + back) & 0xFFFF) - 1  # the sum of all bytes, since none of 512 is over 127
    return b"%b%06o\0 %b" % (front, total, back)


def _long_header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.mode, info.size, info.linkname = entry.mode, entry.size, entry.target
    info.type = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "folder": tarfile.DIRTYPE}[entry.kind]
    return info.tobuf(tarfile.PAX_FORMAT)


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

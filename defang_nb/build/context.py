"""A build context as a value: what is in it, its digest, and how large it may be."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from defang_nb.build import ignore
from defang_nb.errors import BuildError
from defang_nb.model.source import Diagnostic, Severity

MIB = 1024 * 1024
WARN_BYTES = 10 * MIB
LIMIT_BYTES = 100 * MIB
LIMIT_VARIABLE = "DEFANG_BUILD_CONTEXT_LIMIT"
# A file that changed less than this before it was read may change again without its time telling (as in git's index).
_SETTLED_NS = 2_000_000_000
_CHUNK = 256 * 1024


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file, link or folder; `path` is relative to the context, with `/`. `mode` is 0o755 or 0o644, whatever the umask was.

    `sha256` is a file's (hex); `target` is where a link leads.
    """

    path: str
    kind: Literal["file", "link", "folder"] = "file"
    mode: int = 0o644
    size: int = 0
    sha256: str = ""
    target: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in a context, in order of path. `digest` (sha256, hex) depends on `entries` only."""

    context: str
    entries: tuple[Entry, ...]
    digest: str
    ignore_file: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """What tells that a file is still the one whose hash is known."""

    size: int
    modified: int
    changed: int
    inode: int


class Known(msgspec.Struct, frozen=True, array_like=True):
    stamp: Stamp
    sha256: str


def manifest(
    context: Path, dockerfile: str = "", *, cache: Path | None = None, environ: Mapping[str, str] | None = None
) -> Manifest:
    """Read the whole context. `cache` is a file in which hashes of unchanged files are kept from run to run.

    The size limit is 100 MiB, or `DEFANG_BUILD_CONTEXT_LIMIT` (`250MiB`, `1G`, bytes) in `environ`.
    Raises `BuildError` when the context is larger, or a file can't be read.
    """
    rules = ignore.load(context, dockerfile)
    always = {name for name in (dockerfile, rules.file) if name}
    try:
        found = sorted(_scan(context, "", rules, (), always))
        _refuse_large(found, context, os.environ if environ is None else environ)
        entries = tuple(_entries(context, found, cache))
    except OSError as error:
        raise BuildError(f"can't read {error.filename or context}: {error.strerror}", hint=_LEAVE_OUT) from error
    digest = hashlib.sha256(b"\n".join(msgspec.json.encode(entry) for entry in entries)).hexdigest()
    warnings = tuple(_warnings(context, entries))
    return Manifest(context=str(context), entries=entries, digest=digest, ignore_file=rules.file, diagnostics=warnings)


_LEAVE_OUT = "leave files out that the build does not need by naming them in .dockerignore"


def _scan(
    context: Path, folder: str, rules: ignore.Ignore, above: Sequence[bool], always: set[str]
) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(context / folder) as listing:
        children = list(listing)
    for child in children:
        path = f"{folder}/{child.name}" if folder else child.name
        verdicts = rules.verdicts(path, above)
        kept = path in always or not rules.excludes(verdicts)
        if child.is_dir(follow_symlinks=False):
            holds_always = any(each.startswith(f"{path}/") for each in always)
            if kept:
                yield path, child.stat(follow_symlinks=False)
            if kept or holds_always or not rules.prunes(path, verdicts):
                yield from _scan(context, path, rules, verdicts, always)
        elif kept and (child.is_symlink() or child.is_file(follow_symlinks=False)):
            yield path, child.stat(follow_symlinks=False)


def _entries(context: Path, found: Sequence[tuple[str, os.stat_result]], cache: Path | None) -> Iterator[Entry]:
    known = _load(cache)
    fresh: dict[str, Known] = {}
    now = time.time_ns()
    for path, info in found:
        if stat.S_ISDIR(info.st_mode):
            yield Entry(path=path, kind="folder", mode=0o755)
        elif stat.S_ISLNK(info.st_mode):
            yield Entry(path=path, kind="link", mode=0o777, target=str((context / path).readlink()))
        else:
            stamp = Stamp(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
            old = known.get(path)
            digest = old.sha256 if old and old.stamp == stamp else _hash(context / path)
            if max(stamp.modified, stamp.changed) < now - _SETTLED_NS:
                fresh[path] = Known(stamp, digest)
            mode = 0o755 if info.st_mode & stat.S_IXUSR else 0o644
            yield Entry(path=path, mode=mode, size=info.st_size, sha256=digest)
    if cache and fresh != known:
        _save(cache, fresh)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _load(cache: Path | None) -> dict[str, Known]:
    try:
        return msgspec.msgpack.decode(cache.read_bytes(), type=dict[str, Known]) if cache else {}
    except (OSError, msgspec.DecodeError):
        return {}


def _save(cache: Path, known: Mapping[str, Known]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_name(f".{cache.name}.{os.getpid()}")
    temporary.write_bytes(msgspec.msgpack.encode(known))
    temporary.replace(cache)


def _refuse_large(found: Sequence[tuple[str, os.stat_result]], context: Path, environ: Mapping[str, str]) -> None:
    limit = _limit(environ.get(LIMIT_VARIABLE, ""))
    sizes = {path: info.st_size for path, info in found if stat.S_ISREG(info.st_mode)}
    if (total := sum(sizes.values())) <= limit:
        return
    raise BuildError(
        f"the build context {context} holds {_human(total)}, and {_human(limit)} is the limit; most of it is {_biggest(sizes)}",
        hint=f"{_LEAVE_OUT}, or raise the limit with {LIMIT_VARIABLE}",
    )


def _limit(text: str) -> int:
    if not text.strip():
        return LIMIT_BYTES
    number = text.strip().lower().rstrip("ib")
    factor = {"k": 1024, "m": MIB, "g": 1024 * MIB}.get(number[-1:], 1)
    try:
        return int(float(number.rstrip("kmg")) * factor)
    except ValueError:
        raise BuildError(f"{LIMIT_VARIABLE} must be a size such as 250MiB, not {text!r}") from None


def _warnings(context: Path, entries: Sequence[Entry]) -> Iterator[Diagnostic]:
    sizes = {entry.path: entry.size for entry in entries}
    if (total := sum(sizes.values())) > WARN_BYTES:
        message = f"the build context {context} holds {_human(total)}; most of it is {_biggest(sizes)}"
        yield Diagnostic(severity=Severity.WARNING, code="context-large", message=message, hint=_LEAVE_OUT)
    for entry in entries:
        if entry.kind == "link" and leads_out(entry.path, entry.target):
            message = f"the link {entry.path} leads out of the build context (to {entry.target}): it leads nowhere in the image"
            yield Diagnostic(severity=Severity.WARNING, code="context-link", message=message)


def leads_out(path: str, target: str) -> bool:
    """Whether a link at `path` with that target points outside of the folder that `path` is relative to."""
    reached = os.path.normpath(PurePosixPath(path).parent / target)
    return target.startswith("/") or reached == ".." or reached.startswith("../")


def _biggest(sizes: Mapping[str, int]) -> str:
    biggest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    return ", ".join(f"{path} ({_human(size)})" for path, size in biggest)


def _human(size: int) -> str:
    return f"{size / MIB:.1f} MiB" if size >= MIB else f"{size / 1024:.1f} KiB" if size >= 1024 else f"{size} bytes"

"""A build context as a value: what is in it, its digest, and how large it may be."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_THREADS = 2
_SHARE = 500
"""So many files are worth a thread."""


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
    """Everything in a context, in order of path. `digest` (sha256, hex) depends on `entries` only.

    `inline` are files that are no files of the folder: their paths, and what is in them. `ignore_text` is what was in
    `ignore_file` (bytes that are not UTF-8 as surrogates).
    """

    context: str
    entries: tuple[Entry, ...]
    digest: str
    ignore_file: str = ""
    ignore_text: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    inline: Mapping[str, str] = {}

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
    context: Path,
    dockerfile: str = "",
    *,
    inline: Mapping[str, str] | None = None,
    without: Path | None = None,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Manifest:
    """Read the whole context. `cache` is a file in which hashes of unchanged files are kept from run to run.

    `without` is a file (its absolute path) that is no part of any context. `inline` are files to add that are not in the folder
    (a Dockerfile from a Compose file). The size limit is 100 MiB, or `DEFANG_BUILD_CONTEXT_LIMIT` (`250MiB`, `1G`, bytes) in
    `environ`.
    Raises `BuildError` when the context is larger, a file can't be read, or an ignore file is wrong.
    """
    rules = ignore.load(context, dockerfile)
    always = {name for name in (dockerfile, rules.file) if name}
    added = dict(inline or {})
    try:
        left_out = {*added, *([os.path.relpath(without, context)] if without else ())}
        found = sorted(each for each in _scan(str(context), "", rules, (), always) if each[0] not in left_out)
        _refuse_large(found, context, os.environ if environ is None else environ)
        entries = [*_entries(str(context), found, cache), *(_inline(path, text) for path, text in added.items())]
    except OSError as error:
        raise BuildError(f"can't read {error.filename or context}: {error.strerror}", hint=_LEAVE_OUT) from error
    entries.sort(key=lambda entry: entry.path)
    digest = digest_of(entries)
    warnings = tuple(_warnings(context, entries))
    return Manifest(
        context=str(context),
        entries=tuple(entries),
        digest=digest,
        ignore_file=rules.file,
        ignore_text=rules.text,
        diagnostics=warnings,
        inline=added,
    )


def digest_of(entries: Sequence[Entry]) -> str:
    encoder = msgspec.json.Encoder()
    return hashlib.sha256(b"\n".join(encoder.encode(entry) for entry in entries)).hexdigest()


_LEAVE_OUT = "leave files out that the build does not need by naming them in .dockerignore"


def _scan(
    context: str, folder: str, rules: ignore.Ignore, above: Sequence[bool], always: set[str]
) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(f"{context}/{folder}") as listing:
        children = list(listing)
    for child in children:
        path = f"{folder}/{child.name}" if folder else child.name
        verdicts = rules.verdicts(path, above)
        kept = not rules.excludes(verdicts) or path in always
        if child.is_dir(follow_symlinks=False):
            if kept:
                yield path, child.stat(follow_symlinks=False)
            if kept or not rules.prunes(path, verdicts) or any(each.startswith(f"{path}/") for each in always):
                yield from _scan(context, path, rules, verdicts, always)
        elif kept and (child.is_symlink() or child.is_file(follow_symlinks=False)):
            yield path, child.stat(follow_symlinks=False)


def _entries(context: str, found: Sequence[tuple[str, os.stat_result]], cache: Path | None) -> Iterator[Entry]:
    known = _load(cache)
    stamps = {
        path: Stamp(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
        for path, info in found
        if stat.S_ISREG(info.st_mode)
    }
    same = {path: old.sha256 for path, stamp in stamps.items() if (old := known.get(path)) and old.stamp == stamp}
    digests = same | _hashes(context, [(path, stamp.size) for path, stamp in stamps.items() if path not in same])
    for path, info in found:
        if path in stamps:
            mode = 0o755 if info.st_mode & stat.S_IXUSR else 0o644
            yield Entry(path=path, mode=mode, size=info.st_size, sha256=digests[path])
        elif stat.S_ISDIR(info.st_mode):
            yield Entry(path=path, kind="folder", mode=0o755)
        else:
            yield Entry(path=path, kind="link", mode=0o777, target=str(Path(context, path).readlink()))
    before = time.time_ns() - _SETTLED_NS
    settled = {path: stamp for path, stamp in stamps.items() if stamp.modified < before and stamp.changed < before}
    if cache and (len(settled) != len(known) or any(path not in same for path in settled)):
        _save(cache, {path: Known(stamp, digests[path]) for path, stamp in settled.items()})


def _hashes(context: str, files: Sequence[tuple[str, int]]) -> dict[str, str]:
    """path → SHA-256 of each file, a few at a time: much of it is waiting, and hashing lets other threads run."""
    threads = min(_THREADS, len(files) // _SHARE + 1)
    shares = [files[start::threads] for start in range(threads)]

    def share(part: Sequence[tuple[str, int]]) -> dict[str, str]:
        return {path: _hash(f"{context}/{path}", size) for path, size in part}

    if threads == 1:
        return share(files)
    with ThreadPoolExecutor(threads) as pool:
        return {path: digest for part in pool.map(share, shares) for path, digest in part.items()}


def _inline(path: str, text: str) -> Entry:
    data = text.encode()
    return Entry(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _hash(path: str, size: int) -> str:
    """Without Python's file objects, which take longer than the hash of a small file does."""
    descriptor = os.open(path, _READ)
    try:
        data = os.read(descriptor, min(size + 1, _CHUNK))
        digest = hashlib.sha256(data)
        while data and len(data) != size:
            data = os.read(descriptor, _CHUNK)
            digest.update(data)
    finally:
        os.close(descriptor)
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

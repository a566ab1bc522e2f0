"""File work inside an image's root: COPY as Docker does it, and mkdir, rm, chmod and their like. Nothing leaves the root.

Blocking; callers run it in a thread. Paths are container paths, absolute ones.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from defang_nb.errors import BuildError
from defang_nb.providers.local.process.images.steps import Copy, Files, Write


def inside(root: Path, path: str) -> Path:
    """Where the container path `path` is under `root`. Raises `BuildError` when links on the way lead out of it."""
    target = Path(os.path.normpath(f"{root}/{posixpath.normpath(f'/{path}').lstrip('/')}"))
    if target != root and not target.parent.resolve().is_relative_to(root.resolve()):
        raise BuildError(f"{path} leads out of the image")
    return target


def matching(base: Path, pattern: str) -> list[Path]:
    """The files and folders below `base` that a COPY source (with wildcards) names; sorted."""
    relative = posixpath.normpath(f"/{pattern}").lstrip("/")
    if not relative or relative == ".":
        return [base]
    if not re.search(r"[*?\[]", relative):
        found = inside(base, relative)
        return [found] if os.path.lexists(found) else []
    return sorted(each for each in base.glob(relative))


def copy(action: Copy, base: Path, root: Path) -> list[str]:
    """Carry out a COPY from `base`; the container paths written to. Raises `BuildError` for a source that is not there."""
    into_folder = action.destination.endswith(("/", "/.")) or len(action.sources) > 1
    target = inside(root, action.destination)
    written: list[str] = []
    for pattern in action.sources:
        found = matching(base, pattern)
        if not found and not re.search(r"[*?\[]", pattern):
            raise BuildError(f"there is no {pattern} to copy", hint="is it left out by .dockerignore?")
        for source in found:
            if source.is_dir():
                _tree(source, target, action.mode)
                written.append(posixpath.normpath(action.destination))
                continue
            single = not into_folder and len(found) == 1 and not target.is_dir()
            place = target if single else target / source.name
            _file(source, place, action.mode)
            written.append(f"/{place.relative_to(root).as_posix()}")
    return written


def write(action: Write, root: Path) -> None:
    target = inside(root, action.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(action.content, encoding="utf-8")


def carry_out(action: Files, root: Path, cwd: str) -> list[str]:
    """A file command; the container paths that it made."""
    paths = [posixpath.join(cwd, each) for each in action.words]
    match action.verb:
        case "mkdir":
            for path in paths:
                inside(root, path).mkdir(parents=True, exist_ok=True)
            return [posixpath.normpath(each) for each in paths]
        case "touch":
            for path in paths:
                inside(root, path).parent.mkdir(parents=True, exist_ok=True)
                inside(root, path).touch()
        case "rm":
            for each in _existing(root, paths):
                _remove(each)
        case "chmod":
            for each in _existing(root, paths):
                _chmod(each, action.option)
        case "cp" | "mv":
            return _move(action, paths, root)
        case "ln":
            _link(paths, root)
    return []


def _existing(root: Path, paths: Sequence[str]) -> Iterator[Path]:
    for path in paths:
        relative = posixpath.normpath(path).lstrip("/")
        if re.search(r"[*?\[]", relative):
            yield from sorted(root.glob(relative))
        elif relative and os.path.lexists(found := inside(root, path)):
            yield found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _chmod(path: Path, mode: str) -> None:
    """Only whether a file may be executed matters here; what the build itself must read and write stays so."""
    runs = bool(int(mode, 8) & 0o111) if mode.isdecimal() else "+" in mode and "x" in mode.lower()
    every = [path, *path.rglob("*")] if path.is_dir() else [path]
    for each in every:
        if each.is_file() and not each.is_symlink():
            old = each.stat().st_mode
            each.chmod(old | 0o755 if runs else old)


def _move(action: Files, paths: Sequence[str], root: Path) -> list[str]:
    *sources, destination = paths
    target = inside(root, destination)
    found = list(_existing(root, sources))
    if not found:
        raise BuildError(f"there is no {' '.join(action.words[:-1])} to {action.verb}")
    for source in found:
        place = target / source.name if target.is_dir() or len(found) > 1 or destination.endswith("/") else target
        place.parent.mkdir(parents=True, exist_ok=True)
        if action.verb == "mv":
            shutil.move(source, place)
        elif source.is_dir():
            _tree(source, place, None)
        else:
            _file(source, place, None)
    return [posixpath.normpath(destination)]


def _link(paths: Sequence[str], root: Path) -> None:
    if len(paths) == 2:
        target, link = inside(root, paths[0]), inside(root, paths[1])
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(target, link.parent))


def _tree(source: Path, target: Path, mode: int | None) -> None:
    """The content of a folder into another; links stay links, and a file replaces what was there."""
    target.mkdir(parents=True, exist_ok=True)
    with os.scandir(source) as listing:
        for child in listing:
            place = target / child.name
            if child.is_dir(follow_symlinks=False):
                if place.is_symlink() or place.is_file():
                    place.unlink()
                _tree(Path(child.path), place, mode)
            elif child.is_symlink():
                _remove(place)
                place.symlink_to(Path(child.path).readlink())
            else:
                _file(Path(child.path), place, mode)


def _file(source: Path, place: Path, mode: int | None) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(place):
        _remove(place)
    shutil.copyfile(source, place)
    place.chmod(0o755 if (mode if mode is not None else source.stat().st_mode) & 0o111 else 0o644)

"""A service's own copy of its image's files, and the folders that its volumes put into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from defang_nb.errors import ProviderError
from defang_nb.model.value import Json
from defang_nb.providers.local.process.images.image import BuiltImage

if TYPE_CHECKING:
    from defang_nb.providers.local.process.engine import Engine


def make(engine: Engine, project: str, service: str, image: BuiltImage, mounts: Sequence[Mapping[str, Json]]) -> BuiltImage:
    """Copy afresh, as a new container would begin; the image moved to the copy. Blocking. Raises `ProviderError`."""
    root = engine.folder(project, service) / "root"
    try:
        if root.exists():
            shutil.rmtree(root)
        root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy(Path(image.root), root)
    except (OSError, shutil.Error, subprocess.CalledProcessError) as error:
        raise ProviderError(f"the files of {service} can't be copied: {error}") from error
    moved = image.at(root)
    for mount in sorted(mounts, key=lambda each: PurePosixPath(each["target"]).parts):
        _mount(engine, project, moved, mount, within(mount["target"], [each["target"] for each in mounts]))
    return moved


def within(target: str, targets: Iterable[str]) -> set[str]:
    """Those of `targets` that are below the folder `target`, relative to it."""
    folder = PurePosixPath(target)
    below = [PurePosixPath(each) for each in targets]
    return {str(each.relative_to(folder)) for each in below if each != folder and each.is_relative_to(folder)}


def _copy(source: Path, target: Path) -> None:
    """With shared blocks where the file system can."""
    if sys.platform == "linux" and shutil.which("cp"):
        subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True, capture_output=True)
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _mount(engine: Engine, project: str, image: BuiltImage, mount: Mapping[str, Json], below: set[str]) -> None:
    """A link at the mount's place. A new named volume begins with what the image has there, as with Docker.

    A folder of yours that others are mounted `below` is copied: a link would lead what they hold into it.
    """
    place = image.host_path(mount["target"])
    if not place.is_relative_to(image.root):
        raise ProviderError(f"a volume can't be put at {mount['target']}: it is outside of the service's own files")
    if mount["kind"] == "tmpfs" or not mount["source"]:
        place.mkdir(parents=True, exist_ok=True)
        return
    source = Path(mount["source"]) if mount["kind"] == "bind" else engine.data(project, "volumes") / mount["source"]
    if mount["kind"] != "bind" and not source.exists():
        source.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if place.is_dir():
            _copy(place, source)
        else:
            source.mkdir()
    if mount["kind"] == "bind" and not source.exists():
        source.mkdir(parents=True)
    if below and mount["kind"] == "bind" and source.is_dir():
        _lay_over(source, place, below)
        return
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(source)


def _lay_over(source: Path, place: Path, below: set[str]) -> None:
    """Make `place` hold what `source` does, but for the places `below`, which stay what they are."""
    place.mkdir(parents=True, exist_ok=True)
    tops = {PurePosixPath(each).parts[0] for each in below}
    for old in place.iterdir():
        if old.name in tops:
            continue
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
    for new in source.iterdir():
        if new.name not in tops:
            _copy(new, place / new.name)
        elif deeper := within(new.name, below):
            _lay_over(new, place / new.name, deeper)

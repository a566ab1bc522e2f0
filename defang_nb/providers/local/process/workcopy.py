"""A service's own copy of its image's files, and the folders that its volumes put into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from defang_nb.errors import ProviderError
from defang_nb.model.value import Json
from defang_nb.providers.local.process.engine import Engine
from defang_nb.providers.local.process.images.image import BuiltImage


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
    for mount in mounts:
        _mount(engine, project, moved, mount)
    return moved


def _copy(source: Path, target: Path) -> None:
    """With shared blocks where the file system can."""
    if sys.platform == "linux" and shutil.which("cp"):
        subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True, capture_output=True)
    else:
        shutil.copytree(source, target, symlinks=True)


def _mount(engine: Engine, project: str, image: BuiltImage, mount: Mapping[str, Json]) -> None:
    """A link at the mount's place. A new named volume begins with what the image has there, as with Docker."""
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
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(source)

"""What each resource of this engine was made from, beside it and not in the state: as a cloud keeps tags on what it runs.

One file a resource, below the stack's folder. With it a resource is known again when the record of it is lost.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from defang_nb.model.resource import Resource
from defang_nb.model.value import Json


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """`ready`: it was usable, after it was last made or changed. Secrets are not in it: in inputs they are only named."""

    urn: str
    type: str
    title: str = ""
    service: str = ""
    inputs: Mapping[str, Json] = {}
    needs: tuple[str, ...] = ()
    ready: bool = False


class Tags:
    """Those of one stack. Everything blocks, shortly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, resource: Resource, *, ready: bool) -> None:
        path = self._path(resource.urn)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        tag = Tag(
            urn=resource.urn,
            type=resource.type,
            title=resource.title,
            service=resource.service,
            inputs=resource.inputs,
            needs=tuple(resource.dependencies),
            ready=ready,
        )
        temporary = path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(tag))
        temporary.replace(path)

    def remove(self, urn: str) -> None:
        path = self._path(urn)
        path.unlink(missing_ok=True)
        for folder in (path.parent, self._folder):
            if folder.is_dir() and not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)

    def of(self, type_: str, project: str = "") -> Iterator[Tag]:
        """Of one type and project ("": of any), in a steady order. One that can't be read counts as none."""
        for path in sorted(self._folder.glob(f"{project or '*'}/*.json")):
            try:
                tag = msgspec.json.decode(path.read_bytes(), type=Tag)
            except (OSError, msgspec.DecodeError):
                continue
            if tag.type == type_:
                yield tag

    def _path(self, urn: str) -> Path:
        return self._folder / urn.partition("/")[0] / f"{hashlib.sha256(urn.encode()).hexdigest()[:32]}.json"

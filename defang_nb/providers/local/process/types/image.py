"""`local:process/Image`: a build context turned into a folder and a virtual environment."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from defang_nb.errors import DefangError
from defang_nb.model.events import BuildLine
from defang_nb.model.image import ImageSource
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.process.engine import Engine, fill, parse_urn
from defang_nb.providers.local.process.images import image
from defang_nb.providers.local.process.images.builder import ImageBuilder
from defang_nb.providers.local.process.types.base import EngineType
from defang_nb.provision.ports import ApiClass, Made, ObjectStore, OnCancel, Operation


class ImageType(EngineType):
    """Inputs: `source` (an `ImageSource`), `reference`, `args` (the source's, as inputs), `recipe`, `exclude_newer`.

    Outputs: `path` (the image's folder) and `reference`.
    """

    name = "local:process/Image"
    replace_on = frozenset({"reference"})
    create_before_delete = True
    on_cancel = OnCancel.ABANDON
    api = ApiClass("builds", 4)

    def __init__(self, engine: Engine, store: ObjectStore) -> None:
        super().__init__(engine)
        self.store = store
        self.builder = ImageBuilder(engine.paths.images)

    async def make(self, operation: Operation) -> Made:
        resource = operation.resource
        source = msgspec.convert(resource.inputs["source"], ImageSource)
        project, _ = parse_urn(resource.urn)
        values = self.engine.secret_values(project, resource.inputs["args"])
        args = {key: fill(value, values) for key, value in resource.inputs["args"].items()}
        self._index(resource.urn).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._index(resource.urn).write_text(source.reference)

        def emit_line(line: str, step: int = 0, steps: int = 0, cached: bool = False) -> None:
            operation.emit(BuildLine(urn=resource.urn, line=line, step=step, steps=steps, cached=cached))

        with tempfile.TemporaryDirectory(prefix="defang-nb-context-") as folder:
            archive = Path(folder) / "context.tar.gz"
            if image.load(self.builder.folder(source.reference)) is None:
                await self.store.download(source.context_key, archive)
            await self.builder.build(
                source, archive, emit_line, args=args, exclude_newer=str(resource.inputs.get("exclude_newer", ""))
            )
        return self._made(source.reference)

    async def update(self, operation: Operation) -> Made:
        """Build anew what is there already; the old one is put back when that fails."""
        folder = self.builder.folder(operation.resource.inputs["reference"])
        aside = folder.with_name(f"{folder.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        if folder.exists():
            folder.rename(aside)
        try:
            made = await self.create(operation)
        except (DefangError, asyncio.CancelledError):
            shutil.rmtree(folder, ignore_errors=True)
            if aside.exists():
                aside.rename(folder)
            raise
        await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)
        return made

    async def find(self, urn: str) -> Made | None:
        try:
            reference = self._index(urn).read_text()
        except OSError:
            return None
        return self._made(reference) if image.load(self.builder.folder(reference)) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        return {
            each.urn: each.outputs if image.load(self.builder.folder(each.inputs["reference"])) else None for each in recorded
        }

    async def unmake(self, recorded: Recorded) -> None:
        reference = str(recorded.inputs.get("reference") or recorded.id)
        folder = self.builder.folder(reference)
        project, _ = parse_urn(recorded.urn)
        index = self._index(recorded.urn)
        if index.exists() and index.read_text() == reference:
            index.unlink()
        if not any(note.image == str(folder) for note in self.engine.notes(project)):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _made(self, reference: str) -> Made:
        return Made(id=reference, outputs={"path": str(self.builder.folder(reference)), "reference": reference})

    def _index(self, urn: str) -> Path:
        """Which reference was last built for a resource, so that it can be found by its urn alone."""
        return self.engine.paths.images / ".built-for" / hashlib.sha256(urn.encode()).hexdigest()[:32]

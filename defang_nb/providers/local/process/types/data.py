"""`local:process/Data`: the folder of a managed store or a named volume. It outlives what uses it, unless that is asked for."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from defang_nb.model.resource import Recorded, urn
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.providers.local.process.types.base import EngineType
from defang_nb.provision.ports import Live, Made, Operation

_VOLUMES = "volumes"


class DataType(EngineType):
    """No inputs: the urn's name is the folder's, below the project's data. Outputs: `path`.

    Only the place is prepared here: the folder itself is made by its first user, who knows what a new one holds.
    """

    name = "local:process/Data"
    holds_data = True

    async def make(self, operation: Operation) -> Made:
        made = self._made(operation.resource.urn)
        folder = self.engine.data(*parse_urn(operation.resource.urn))
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return made

    async def find(self, urn: str) -> Made | None:
        return self._made(urn) if self.engine.data(*parse_urn(urn)).exists() else None

    async def unmake(self, recorded: Recorded) -> None:
        await asyncio.to_thread(shutil.rmtree, self.engine.data(*parse_urn(recorded.urn)), ignore_errors=True)

    async def owned(self, project: str = "") -> Sequence[Live]:
        """Also what has no tag: made before there were any."""
        tagged = await super().owned(project)
        known = {each.urn for each in tagged}
        untagged = []
        for name, folder in _folders(self.engine.paths.data, project):
            it = urn(folder.relative_to(self.engine.paths.data).parts[0], self.name, name)
            if it not in known:
                path = str(folder)
                untagged.append(
                    Live(urn=it, type=self.name, id=path, title=f"data {name}", outputs={"path": path}, holds_data=True)
                )
        return [*tagged, *untagged]

    def _made(self, urn: str) -> Made:
        folder = str(self.engine.data(*parse_urn(urn)))
        return Made(id=folder, outputs={"path": folder})


def _folders(data: Path, project: str) -> Iterator[tuple[str, Path]]:
    """Name and folder of what holds data: a store's own (`db`), and named volumes (`volumes/things`)."""
    for folder in sorted(data.glob(f"{project or '*'}/*")):
        if folder.name == _VOLUMES:
            yield from ((f"{_VOLUMES}/{each.name}", each) for each in sorted(folder.iterdir()) if each.is_dir())
        elif folder.is_dir():
            yield folder.name, folder

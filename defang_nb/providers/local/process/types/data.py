"""`local:process/Data`: the folder of a managed store or a named volume. It outlives what uses it, unless that is asked for."""

from __future__ import annotations

import asyncio
import shutil

from defang_nb.model.resource import Recorded
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.providers.local.process.types.base import EngineType
from defang_nb.provision.ports import Made, Operation


class DataType(EngineType):
    """No inputs: the urn's name is the folder's, below the project's data. Outputs: `path`.

    Only the place is prepared here: the folder itself is made by its first user, who knows what a new one holds.
    """

    name = "local:process/Data"

    async def create(self, operation: Operation) -> Made:
        made = self._made(operation.resource.urn)
        folder = self.engine.data(*parse_urn(operation.resource.urn))
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return made

    async def find(self, urn: str) -> Made | None:
        return self._made(urn) if self.engine.data(*parse_urn(urn)).exists() else None

    async def delete(self, recorded: Recorded) -> None:
        await asyncio.to_thread(shutil.rmtree, self.engine.data(*parse_urn(recorded.urn)), ignore_errors=True)

    def _made(self, urn: str) -> Made:
        folder = str(self.engine.data(*parse_urn(urn)))
        return Made(id=folder, outputs={"path": folder})

"""A deployment whose context is packed for as long as a test wants: a file of it becomes a named pipe once it is digested."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from defang_nb.build import Prepared
from defang_nb.client import loop
from defang_nb.client.deployment import Deployment
from defang_nb.client.workspace import Workspace
from defang_nb.model.request import DeployRequest

pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@dataclass(frozen=True)
class Packing:
    """`give` tells what is read from the file."""

    deployment: Deployment
    file: Path
    _workspace: Workspace
    _content: bytes

    def give(self, content: bytes | None = None) -> None:
        """What was in it, or something else; waits until the file is being read."""
        with self.file.open("wb") as pipe:
            pipe.write(self._content if content is None else content)

    def mend(self, content: bytes | None = None) -> None:
        """It is a file again."""
        self.file.unlink()
        self.file.write_bytes(self._content if content is None else content)

    @property
    def contexts(self) -> list[str]:
        return self._kept("contexts/")

    @property
    def notes(self) -> list[str]:
        """Of those that upload."""
        return self._kept("uploads/")

    def _kept(self, prefix: str) -> list[str]:
        async def look() -> list[str]:
            return await (await self._workspace.provider.store()).list(prefix)

        return loop.run(look())


@contextmanager
def held(workspace: Workspace, request: DeployRequest, prepared: Sequence[Prepared], file: Path) -> Iterator[Packing]:
    """The deployment, which packs as far as `file`."""
    content = file.read_bytes()
    file.unlink()
    os.mkfifo(file)
    try:
        yield Packing(Deployment.begin(workspace, request, prepared), file, workspace, content)
    finally:
        os.close(os.open(file, os.O_RDWR | os.O_NONBLOCK))  # who still waits for it reads that it is empty

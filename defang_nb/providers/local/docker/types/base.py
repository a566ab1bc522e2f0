"""What most types of this engine answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.docker.engine import DockerEngine
from defang_nb.provision.ports import Made, OnCancel, Operation


class DockerType(ABC):
    """Updated in place, finished when cancelled; made at once, and ready at once."""

    name = ""
    replace_on: frozenset[str] = frozenset()
    create_before_delete = False
    on_cancel = OnCancel.FINISH
    lag = 0.0
    idempotent = True

    def __init__(self, engine: DockerEngine) -> None:
        self.engine = engine

    @abstractmethod
    async def create(self, operation: Operation) -> Made: ...

    @abstractmethod
    async def find(self, urn: str) -> Made | None: ...

    @abstractmethod
    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]: ...

    @abstractmethod
    async def delete(self, recorded: Recorded) -> None: ...

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        return made.outputs

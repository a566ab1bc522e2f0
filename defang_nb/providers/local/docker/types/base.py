"""What most types of this engine answer alike."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from defang_nb.model.resource import Recorded, urn
from defang_nb.model.value import Json
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import CALLS, DockerEngine
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.provision.ports import ApiClass, Live, Made, OnCancel, Operation


class DockerType(ABC):
    """Updated in place, finished when cancelled; made at once, and ready at once."""

    name = ""
    replace_on: frozenset[str] = frozenset()
    create_before_delete = False
    on_cancel = OnCancel.FINISH
    lag = 0.0
    idempotent = True
    api = ApiClass("engine", CALLS)

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

    def mine(self, listed: Sequence[Mapping[str, Any]], project: str = "") -> list[Mapping[str, Any]]:
        """Of what the engine lists, what this stack made of this type (for `project`, "": for any)."""
        found = []
        for each in listed:
            marks = each.get("Labels") or {}
            of, name = parse_urn(marks.get(labels.URN, ""))
            if self.engine.owns(marks) and marks[labels.URN] == urn(of, self.name, name) and project in ("", of):
                found.append(each)
        return found

    def live(
        self, found: Mapping[str, Any], id_: str, title: str, *, outputs: Mapping[str, Json], holds_data: bool = False
    ) -> Live:
        """A network or volume, known by its labels. One made before they told its inputs is known without them."""
        marks = found["Labels"]
        inputs = msgspec.json.decode(marks[labels.MADE_FROM]) if labels.MADE_FROM in marks else None
        return Live(
            urn=marks[labels.URN],
            type=self.name,
            id=id_,
            title=title,
            inputs=inputs,
            outputs=outputs,
            ready=True,
            holds_data=holds_data,
        )


class LabelledType(DockerType):
    """Of which the engine's labels tell what is there, with no record: `Tagged`."""

    async def owned(self, project: str = "") -> Sequence[Live]:
        """Nothing, where this stack does without containers: it shall not fail for an engine that it does not use."""
        return [] if await asyncio.to_thread(self.engine.spare) else await self._owned(project)

    @abstractmethod
    async def _owned(self, project: str) -> Sequence[Live]: ...


def made_from(inputs: Mapping[str, Json]) -> dict[str, str]:
    """The label that tells the inputs."""
    return {labels.MADE_FROM: msgspec.json.encode(inputs, order="sorted").decode()}

"""What most types answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.model.resource import Recorded, hash_inputs, urn
from defang_nb.model.value import Json
from defang_nb.providers.local.process.engine import Engine, parse_urn
from defang_nb.providers.local.process.logs import written
from defang_nb.provision.ports import Live, Made, OnCancel, Operation


class EngineType(ABC):
    """A resource type of the process engine: updated in place, finished when cancelled (nothing here takes long but builds)."""

    name = ""
    replace_on: frozenset[str] = frozenset()
    create_before_delete = False
    on_cancel = OnCancel.FINISH
    lag = 0.0
    idempotent = True
    holds_data = False

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @abstractmethod
    async def make(self, operation: Operation) -> Made:
        """Make it, or make it anew. Its tag follows."""
        ...

    async def settle(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        """Wait until it is usable; the final outputs."""
        return made.outputs

    @abstractmethod
    async def unmake(self, recorded: Recorded) -> None:
        """Delete it. Its tag goes after it."""
        ...

    @abstractmethod
    async def find(self, urn: str) -> Made | None: ...

    async def create(self, operation: Operation) -> Made:
        made = await self.make(operation)
        self.engine.tags.write(operation.resource, ready=False)
        return made

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        outputs = await self.settle(operation, made)
        self.engine.tags.write(operation.resource, ready=True)
        return outputs

    async def delete(self, recorded: Recorded) -> None:
        await self.unmake(recorded)
        if await self.find(recorded.urn) is None:  # else it is another one that this one was replaced by
            self.engine.tags.remove(recorded.urn)

    async def owned(self, project: str = "") -> Sequence[Live]:
        """What has a tag and is there."""
        found = []
        for tag in self.engine.tags.of(self.name, project):
            made = await self.find(tag.urn)
            if made is not None:
                found.append(
                    Live(
                        urn=tag.urn, type=tag.type, id=made.id, title=tag.title, service=tag.service, inputs=tag.inputs,
                        outputs=made.outputs, ready=tag.ready, needs=tag.needs, holds_data=self.holds_data,
                    )
                )  # fmt: skip
        return found

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        return {each.urn: each.outputs for each in recorded}


class ServiceBase(EngineType):
    """What is made of supervised programs and described by a `ServiceNote`."""

    async def find(self, urn: str) -> Made | None:
        project, service = parse_urn(urn)
        note = self.engine.note(project, service)
        if note is None or note.urn != urn or not self.engine.supervisor.names(f"{project}.{service}."):
            return None
        return Made(id=f"{project}.{service}", outputs=note.outputs)

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """None where a program of it is missing, has ended for good or keeps crashing: so `up` makes it anew."""
        infos = await self.engine.supervisor.infos()
        result: dict[str, Mapping[str, Json] | None] = {}
        for each in recorded:
            project, service = parse_urn(each.urn)
            note = self.engine.note(project, service)
            replicas = note.replicas if note else 1
            states = [infos.get(f"{project}.{service}.{number}") for number in range(1, replicas + 1)]
            alive = note is not None and all(state is not None and state.alive for state in states)
            result[each.urn] = each.outputs if alive else None
        return result

    async def owned(self, project: str = "") -> Sequence[Live]:
        """Also what has no tag: services made before there were any, and those whose making broke off."""
        tagged = await super().owned(project)
        known = {each.urn for each in tagged}
        untagged = [
            Live(urn=note.urn, type=self.name, id=f"{note.project}.{note.service}", title=note.service, service=note.service)
            for note in self.engine.notes(project or "*")
            if note.urn not in known and note.urn == urn(note.project, self.name, note.service)
        ]
        records = [_recorded(each) for each in (*tagged, *untagged)]
        alive = await self.read_many(records)
        return [
            msgspec.structs.replace(each, ready=each.ready and alive[each.urn] is not None) for each in (*tagged, *untagged)
        ]

    async def stop(self, project: str, service: str) -> None:
        """End all programs of a service, and wait until they are gone, and what copies their words to the log with them."""
        prefix = f"{project}.{service}."
        for name in self.engine.supervisor.names(prefix):
            # A service may be called like another one with ".2" after it.
            number = name.removeprefix(prefix)
            if number.isdigit():
                await self.engine.supervisor.remove(name)
                await written(self.engine.log(project, service, int(number)))


def _recorded(live: Live) -> Recorded:
    inputs = live.inputs or {}
    return Recorded(
        urn=live.urn, type=live.type, id=live.id, inputs=inputs, input_hash=hash_inputs(inputs), outputs=live.outputs,
        ready=live.ready,
    )  # fmt: skip

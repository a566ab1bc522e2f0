"""What most types answer alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.process.engine import Engine, parse_urn
from defang_nb.providers.local.process.logs import written
from defang_nb.provision.ports import Made, OnCancel, Operation


class EngineType(ABC):
    """A resource type of the process engine: updated in place, finished when cancelled (nothing here takes long but builds)."""

    name = ""
    replace_on: frozenset[str] = frozenset()
    create_before_delete = False
    on_cancel = OnCancel.FINISH
    lag = 0.0
    idempotent = True

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @abstractmethod
    async def create(self, operation: Operation) -> Made: ...

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        return made.outputs

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

    async def stop(self, project: str, service: str) -> None:
        """End all programs of a service, and wait until they are gone, and what copies their words to the log with them."""
        prefix = f"{project}.{service}."
        for name in self.engine.supervisor.names(prefix):
            # A service may be called like another one with ".2" after it.
            number = name.removeprefix(prefix)
            if number.isdigit():
                await self.engine.supervisor.remove(name)
                await written(self.engine.log(project, service, int(number)))

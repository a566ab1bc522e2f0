"""`local:docker/Volume`: what holds data. It goes only when that was agreed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import NotThereError
from defang_nb.providers.local.docker.types.base import LabelledType, made_from
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.provision.ports import Live, Made, Operation


class VolumeType(LabelledType):
    """Inputs: `name`, and of Compose `driver`, `driver_opts`, `labels` (those of the day when it was made)."""

    name = "local:docker/Volume"
    replace_on = frozenset({"name", "driver", "driver_opts"})

    async def create(self, operation: Operation) -> Made:
        inputs, urn = operation.resource.inputs, operation.resource.urn
        project, _ = parse_urn(urn)
        name = inputs["name"]

        def make(client: Any) -> None:
            try:
                found = client.inspect_volume(name).get("Labels") or {}
            except _not_found():
                own = {**dict(inputs.get("labels") or {}), **self.engine.marks(project, urn), **made_from(inputs)}
                client.create_volume(name, inputs.get("driver") or "local", dict(inputs.get("driver_opts") or {}), own)
            else:
                if not self.engine.owns(found) or found.get(labels.PROJECT) != project:
                    hint = "use its data with `external: true`, remove it, or give yours another `name`"
                    raise ProviderError(f"there is a volume {name} already, which this project did not make", hint=hint)

        await self.engine.ask(make)
        return Made(id=name, outputs={"name": name})

    async def find(self, urn: str) -> Made | None:
        for each in await self.engine.volumes():
            if self.engine.owns(each.get("Labels")) and each["Labels"].get(labels.URN) == urn:
                return Made(id=each["Name"], outputs={"name": each["Name"]})
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["Name"] for each in await self.engine.volumes()}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def _owned(self, project: str) -> Sequence[Live]:
        return [
            self.live(each, each["Name"], f"volume {each['Name']}", outputs={"name": each["Name"]}, holds_data=True)
            for each in self.mine(await self.engine.volumes(), project)
        ]

    async def delete(self, recorded: Recorded) -> None:
        try:
            await self.engine.ask(lambda client: client.remove_volume(recorded.id))
        except NotThereError:
            return


def _not_found() -> type[Exception]:
    from docker.errors import NotFound

    found: type[Exception] = NotFound
    return found

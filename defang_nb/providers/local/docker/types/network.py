"""`local:docker/Network`: where services find each other by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import NotThereError, TakenError
from defang_nb.providers.local.docker.types.base import LabelledType, made_from
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.provision.ports import Live, Made, Operation


class NetworkType(LabelledType):
    """Inputs: `name`, and of Compose `driver`, `driver_opts`, `ipam`, `internal`, `attachable`, `enable_ipv6`, `labels`.

    Outputs: `id`. It can't be changed, so every change makes another one.
    """

    name = "local:docker/Network"
    replace_on = frozenset(
        {"name", "driver", "driver_opts", "ipam", "internal", "attachable", "enable_ipv4", "enable_ipv6", "labels"}
    )

    async def create(self, operation: Operation) -> Made:
        inputs, urn = operation.resource.inputs, operation.resource.urn
        project, _ = parse_urn(urn)
        body = {
            "Name": inputs["name"],
            "CheckDuplicate": True,
            "Driver": inputs.get("driver") or "bridge",
            "Internal": bool(inputs.get("internal")),
            "Attachable": bool(inputs.get("attachable")),
            "EnableIPv6": bool(inputs.get("enable_ipv6")),
            "Options": dict(inputs.get("driver_opts") or {}),
            "Labels": {**dict(inputs.get("labels") or {}), **self.engine.marks(project, urn), **made_from(inputs)},
        }
        if inputs.get("ipam"):
            body["IPAM"] = _ipam(inputs["ipam"])

        def make(client: Any) -> str:
            response = client._post_json(client._url("/networks/create"), data=body)  # the SDK's own method knows less
            return str(client._result(response, json=True)["Id"])

        try:
            return _made(await self.engine.ask(make))
        except TakenError:
            found = await self.find(urn)
            if found is not None:
                return found
            hint = "another project or program made it: remove it, or use it as it is with `external: true`"
            raise ProviderError(f"there is a network {inputs['name']} already", hint=hint) from None

    async def find(self, urn: str) -> Made | None:
        found = [each for each in await self.engine.networks() if self._is(each, urn)]
        return _made(found[-1]["Id"]) if found else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["Id"] for each in await self.engine.networks()}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def _owned(self, project: str) -> Sequence[Live]:
        return [
            self.live(each, each["Id"], f"network {each['Name']}", outputs={"id": each["Id"]})
            for each in self.mine(await self.engine.networks(), project)
        ]

    async def delete(self, recorded: Recorded) -> None:
        """Whoever is still attached is taken off first: its own step attaches it to what comes instead."""

        def remove(client: Any) -> None:
            for container in client.inspect_network(recorded.id).get("Containers") or {}:
                client.disconnect_container_from_network(container, recorded.id, force=True)
            client.remove_network(recorded.id)

        try:
            await self.engine.ask(remove)
        except NotThereError:
            return

    def _is(self, found: Mapping[str, Any], urn: str) -> bool:
        return self.engine.owns(found.get("Labels")) and found["Labels"].get(labels.URN) == urn


def _made(id_: str) -> Made:
    return Made(id=id_, outputs={"id": id_})


def _ipam(said: Mapping[str, Any]) -> dict[str, Json]:
    names = {"subnet": "Subnet", "gateway": "Gateway", "ip_range": "IPRange", "aux_addresses": "AuxiliaryAddresses"}
    return {
        "Driver": said.get("driver") or "default",
        "Config": [{ours: each[key] for key, ours in names.items() if each.get(key)} for each in said.get("config") or ()],
        "Options": dict(said.get("options") or {}),
    }

"""`aws:discovery/Namespace` and `aws:discovery/Name`: where services find each other by name (Cloud Map, private DNS)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.resource import urn as urn_of
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.types.base import AwsType, Together, is_ours, once_free
from defang_nb.provision.ports import Live, Made, Operation, Waiting

_SECONDS = 10
"""How long an answer may be remembered: a task that is replaced has another address."""
_GONE = ("NamespaceNotFound", "ServiceNotFound")


class NamespaceType(AwsType):
    """Inputs: `name`, `vpc`. Outputs: `operation`, and `id` once it is there, half a minute later."""

    name = kinds.NAMESPACE
    replace_on = frozenset({"name", "vpc"})

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._leaving = Together(self._there)

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs

        async def make() -> Answer:
            return await self.account.call(
                "servicediscovery",
                "create_private_dns_namespace",
                Name=inputs["name"],
                Vpc=inputs["vpc"],
                CreatorRequestId=operation.token[:64],
                Tags=self.pairs(urn),
            ) | {"Name": inputs["name"]}

        taken = ("NamespaceAlreadyExists", "ConflictingDomainExists")
        return await self.claimed(urn, taken, make, f"namespace {inputs['name']}")

    async def update(self, operation: Operation) -> Made:
        """Nothing of it changes. One that was never ready is looked at again."""
        found = await self.find(operation.resource.urn)
        return found or await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        for each in await self._namespaces():
            tags = await self.account.call("servicediscovery", "list_tags_for_resource", ResourceARN=each["Arn"])
            if is_ours(self.tags(urn), tags["Tags"]):
                return Made(id=each["Name"], outputs={"id": each["Id"]})
        return None

    async def owned(self, project: str = "") -> Sequence[Live]:
        found = await owned_namespaces(self.account, self.stack, project)
        return [
            Live(
                urn=urn,
                type=self.name,
                id=each["Name"],
                title="names of services",
                inputs={"name": each["Name"], "vpc": self.base.vpc},
                outputs={"id": each["Id"]},
            )
            for urn, each in found.items()
        ]

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["Id"] for each in await self._namespaces()}
        return {
            each.urn: each.outputs if each.outputs.get("id") in there else None for each in recorded if each.outputs.get("id")
        }

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        there = {each["Name"]: each["Id"] for each in await self._namespaces()}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            urn = each.operation.resource.urn
            if each.made.id in there:
                found[urn] = {"id": there[each.made.id]}
            elif each.made.outputs.get("operation"):
                asked = await self._operation(each.made.outputs["operation"])
                if asked["Status"] == "FAIL":
                    found[urn] = ProviderError(f"the namespace {each.made.id} can't be made: {asked.get('ErrorMessage', '')}")
        return found

    async def delete(self, recorded: Recorded) -> None:
        id_ = recorded.outputs.get("id") or next(
            (each["Id"] for each in await self._namespaces() if each["Name"] == recorded.id), ""
        )

        async def remove() -> Answer:
            return await self.account.call("servicediscovery", "delete_namespace", Id=id_)

        if id_:
            await once_free(remove, used=("ResourceInUse",), gone=_GONE, what=f"the namespace {recorded.id}")
            await self._leaving.gone(id_)

    def made(self, urn: str, answer: Answer) -> Made:
        return Made(id=answer["Name"], outputs={"operation": answer["OperationId"]})

    async def _operation(self, id_: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (await self.account.call("servicediscovery", "get_operation", OperationId=id_))["Operation"]
        return found

    async def _namespaces(self) -> list[Mapping[str, Any]]:
        return await _namespaces(self.account, self.stack)

    async def _there(self, ids: Sequence[str]) -> list[str]:
        return [each["Id"] for each in await self._namespaces() if each["Id"] in ids]


class NameType(AwsType):
    """Inputs: `namespace` (id), `name`. Outputs: `arn`. ECS keeps the addresses of a service's tasks in it."""

    name = kinds.NAME
    replace_on = frozenset({"namespace", "name"})

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs

        async def make() -> Answer:
            return await self.account.call(
                "servicediscovery",
                "create_service",
                Name=inputs["name"],
                NamespaceId=inputs["namespace"],
                CreatorRequestId=operation.token[:64],
                DnsConfig={"RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "A", "TTL": _SECONDS}]},
                HealthCheckCustomConfig={"FailureThreshold": 1},
                Tags=self.pairs(urn),
            )

        return await self.claimed(urn, ("ServiceAlreadyExists",), make, f"name {inputs['name']}")

    async def update(self, operation: Operation) -> Made:
        """Nothing of it changes."""
        previous = operation.previous
        return Made(id=previous.id, outputs=previous.outputs) if previous else await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        for each in await self._services():
            if each["Name"] == names.parts(urn)[1]:
                tags = await self.account.call("servicediscovery", "list_tags_for_resource", ResourceARN=each["Arn"])
                if is_ours(self.tags(urn), tags["Tags"]):
                    return Made(id=each["Id"], outputs={"arn": each["Arn"]})
        return None

    async def owned(self, project: str = "") -> Sequence[Live]:
        """All that is in a namespace of ours."""
        found = await owned_namespaces(self.account, self.stack, project)
        return [
            Live(
                urn=urn_of(names.parts(urn)[0], self.name, each["Name"]),
                type=self.name,
                id=each["Id"],
                title=f"name {each['Name']}",
                service=each["Name"],
                inputs={"namespace": namespace["Id"], "name": each["Name"]},
                outputs={"arn": each["Arn"]},
                needs=(urn,),
            )
            for urn, namespace in found.items()
            for each in await self._services([namespace["Id"]])
        ]

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        namespaces = sorted({each.inputs["namespace"] for each in recorded if each.inputs.get("namespace")})
        there = {each["Id"] for each in await self._services(namespaces)}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        """Tasks that have just stopped may still be in it: ECS takes them out."""

        async def remove() -> Answer:
            return await self.account.call("servicediscovery", "delete_service", Id=recorded.id)

        await once_free(remove, used=("ResourceInUse",), gone=_GONE, what=f"the name {recorded.inputs.get('name', '')}")

    def made(self, urn: str, answer: Answer) -> Made:
        service = answer["Service"]
        return Made(id=service["Id"], outputs={"arn": service["Arn"]})

    async def _services(self, namespaces: Sequence[str] = ()) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for said in [{"Filters": [{"Name": "NAMESPACE_ID", "Values": [each]}]} for each in namespaces] or [{}]:
            pages = await self.account.pages("servicediscovery", "list_services", **said)
            found += [each for page in pages for each in page["Services"]]
        return found


async def _namespaces(account: Account, stack: str) -> list[Mapping[str, Any]]:
    """Of this stack: all of them end alike."""
    pages = await account.pages("servicediscovery", "list_namespaces")
    return [each for page in pages for each in page["Namespaces"] if each["Name"].endswith(f".{stack}.internal")]


async def owned_namespaces(account: Account, stack: str, project: str) -> dict[str, Mapping[str, Any]]:
    """urn → those that carry our tags, of `project` ("": of any)."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in await _namespaces(account, stack):
        answer = await account.call("servicediscovery", "list_tags_for_resource", ResourceARN=each["Arn"])
        tags = {tag["Key"]: tag["Value"] for tag in answer["Tags"]}
        if tags.get(names.STACK) == stack and tags.get(names.URN) and project in ("", tags.get(names.PROJECT)):
            found[tags[names.URN]] = each
    return found

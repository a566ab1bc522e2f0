"""What databases of RDS need beside themselves: the subnets that they may be in, and their parameters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.types.base import ignoring, is_ours, once_free
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import Made, Operation


class Named(TaggedType):
    """Something small that is known by its name, is not changed, and goes as soon as nothing uses it."""

    service = "rds"
    create_call = describe_call = modify_call = delete_call = key = listed = ""
    taken = gone = used = ""
    """Codes of AWS's: the name is taken, there is none of that name, it is in use."""

    @abstractmethod
    def arguments(self, urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
        """Of the call that makes it, besides its name and tags."""

    async def create(self, operation: Operation) -> Made:
        urn, name = operation.resource.urn, self.id_of(operation.resource.urn)

        async def make() -> Answer:
            said = {self.key: name, **self.arguments(urn, operation.resource.inputs), "Tags": self.pairs(urn)}
            return await self.account.call(self.service, self.create_call, **said)

        return await self.claimed(urn, (self.taken,), make, f"{operation.resource.title or self.name} of the name {name}")

    async def update(self, operation: Operation) -> Made:
        """Of what is adopted it is not known what it was made from: it stays as it is."""
        urn, inputs, previous = operation.resource.urn, operation.resource.inputs, operation.previous
        before = dict(previous.inputs) if previous else {}
        if self.modify_call and before and before != inputs:
            said = {self.key: self.id_of(urn), **self.arguments(urn, inputs)}
            await self.account.call(self.service, self.modify_call, **said)
        return await self.find(urn) or await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        name = self.id_of(urn)
        asked = self.account.call(self.service, self.describe_call, **{self.key: name})
        answer = await ignoring((self.gone,), asked)
        if not answer or not answer[self.listed]:
            return None
        tags = await self.tags_of(self.arn_of(answer[self.listed][0]))
        return self.made(urn, {}) if is_ours(self.tags(urn), tags) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        pages = await self.account.pages(self.service, self.describe_call)
        there = {each[self.key].lower() for page in pages for each in page[self.listed]}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        async def remove() -> Answer:
            return await self.account.call(self.service, self.delete_call, **{self.key: recorded.id})

        await once_free(remove, used=(self.used,), gone=(self.gone,), what=recorded.title or self.name)

    def made(self, urn: str, answer: Answer) -> Made:
        return Made(id=self.id_of(urn), outputs={"name": self.id_of(urn)})

    def by_arn(self, arn: str) -> Known:
        name = arn.rpartition(":")[2]
        return Known(id=name, outputs={"name": name})

    def id_of(self, urn: str) -> str:
        """AWS makes these names lower case by itself."""
        return self.called(urn).lower()

    @abstractmethod
    def arn_of(self, found: Mapping[str, Any]) -> str: ...

    async def tags_of(self, arn: str) -> Sequence[Mapping[str, Any]]:
        answer = await self.account.call(self.service, "list_tags_for_resource", ResourceName=arn)
        found: Sequence[Mapping[str, Any]] = answer["TagList"]
        return found


class SubnetGroupType(Named):
    """Inputs: `subnets`. Outputs: `name`."""

    name = kinds.SUBNETS
    resource = "rds:subgrp"
    of_service = False
    modify_call = "modify_db_subnet_group"
    create_call, describe_call, delete_call = "create_db_subnet_group", "describe_db_subnet_groups", "delete_db_subnet_group"
    key, listed = "DBSubnetGroupName", "DBSubnetGroups"
    taken, gone, used = "DBSubnetGroupAlreadyExists", "DBSubnetGroupNotFoundFault", "InvalidDBSubnetGroupStateFault"

    def arguments(self, urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
        return {"DBSubnetGroupDescription": "databases of a project", "SubnetIds": list(inputs["subnets"])}

    def arn_of(self, found: Mapping[str, Any]) -> str:
        return str(found["DBSubnetGroupArn"])


class ParameterGroupType(Named):
    """Inputs: `family`, `parameters`. Outputs: `name`."""

    name = kinds.PARAMETERS
    idempotent = True
    resource = "rds:pg"
    create_call, describe_call = "create_db_parameter_group", "describe_db_parameter_groups"
    delete_call, key, listed = "delete_db_parameter_group", "DBParameterGroupName", "DBParameterGroups"
    taken, gone, used = "DBParameterGroupAlreadyExists", "DBParameterGroupNotFound", "InvalidDBParameterGroupState"

    def arguments(self, urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
        return {"DBParameterGroupFamily": inputs["family"], "Description": "parameters of a project's database"}

    async def create(self, operation: Operation) -> Made:
        made = await super().create(operation)
        await self._set(made.id, operation.resource.inputs["parameters"])
        return made

    async def update(self, operation: Operation) -> Made:
        made = await super().update(operation)
        await self._set(made.id, operation.resource.inputs["parameters"])
        return made

    def arn_of(self, found: Mapping[str, Any]) -> str:
        return str(found["DBParameterGroupArn"])

    async def _set(self, name: str, parameters: Mapping[str, str]) -> None:
        said = [
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "immediate"} for key, value in parameters.items()
        ]
        await self.account.call("rds", "modify_db_parameter_group", DBParameterGroupName=name, Parameters=said)

"""What there is of a stack by its tags alone: so that it is found again, or found to be nobody's, when no record knows it."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from defang_nb.model.value import Json
from defang_nb.providers.aws import names
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types.base import AwsType
from defang_nb.provision.ports import Live


class Tagged(msgspec.Struct, frozen=True):
    """Something that carries our tags."""

    arn: str
    urn: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What can be told of something: `inputs` are those of what it was made from that can't be changed, and maybe more."""

    id: str
    outputs: Mapping[str, Json] = {}
    inputs: Mapping[str, Json] = {}


class Inventory:
    """One question for all types, when they ask at the same time."""

    def __init__(self, account: Account, stack: str) -> None:
        self._account = account
        self._stack = stack
        self._asking: dict[str, asyncio.Task[Sequence[Tagged]]] = {}

    async def of(self, project: str) -> Sequence[Tagged]:
        """Of `project`; "": of all projects of the stack."""
        if project not in self._asking:
            self._asking[project] = asyncio.create_task(self._ask(project))
        return await asyncio.shield(self._asking[project])

    async def _ask(self, project: str) -> Sequence[Tagged]:
        wanted = {names.MANAGED_BY: names.MANAGER, names.STACK: self._stack} | ({names.PROJECT: project} if project else {})
        filters = [{"Key": key, "Values": [value]} for key, value in wanted.items()]
        try:
            pages = await self._account.pages("resourcegroupstaggingapi", "get_resources", TagFilters=filters)
        finally:
            del self._asking[project]
        found = [each for page in pages for each in page["ResourceTagMappingList"]]
        tagged = [(each["ResourceARN"], {tag["Key"]: tag["Value"] for tag in each["Tags"]}) for each in found]
        return [Tagged(arn, tags[names.URN]) for arn, tags in tagged if names.URN in tags]


class TaggedType(AwsType):
    """One whose resources the tagging API knows as `resource`; `of_service`: each is a service's own.

    `holds_data`: what is in them can't be made again. `region`: where the tags of what is everywhere are; "": in the stack's.
    """

    resource: ClassVar[str]
    of_service: ClassVar[bool] = True
    holds_data: ClassVar[bool] = False
    region: ClassVar[str] = ""
    inventory: Inventory

    async def owned(self, project: str = "") -> Sequence[Live]:
        """All that this stack made of this type. It is set anew by who adopts it: tags don't tell what it was made from."""
        service, _, kind = self.resource.partition(":")
        found = {
            each.urn: each.arn
            for each in sorted(await self.inventory.of(project), key=lambda each: _age(each.arn))
            if "/".join(each.urn.split("/")[1:3]) == self.name and f":{service}:" in each.arn and kind in each.arn
        }
        return [
            Live(
                urn=urn,
                type=self.name,
                id=known.id,
                inputs=known.inputs,
                title=names.parts(urn)[1],
                service=names.parts(urn)[1].partition(":")[0].partition("/")[0] if self.of_service else "",
                outputs=known.outputs,
                holds_data=self.holds_data,
            )
            for urn, known in (await self.seen(found)).items()
        ]

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        """urn → what can be told of it, of things by their ARN."""
        return {urn: self.by_arn(arn) for urn, arn in arns.items()}

    @abstractmethod
    def by_arn(self, arn: str) -> Known: ...


def _age(arn: str) -> tuple[str, int]:
    """Of several revisions of one thing the newest comes last."""
    head, _, number = arn.rpartition(":")
    return (head, int(number)) if number.isdecimal() else (arn, 0)

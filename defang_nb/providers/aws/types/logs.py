"""`aws:logs/LogGroup`: where a project's services write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.types.base import ignoring
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation

_GONE = ("ResourceNotFoundException",)
_EXISTS = ("ResourceAlreadyExistsException",)


class LogGroupType(TaggedType):
    """Inputs: `days` for which lines are kept. Outputs: `name`."""

    name = kinds.LOGS
    idempotent = True
    resource = "logs:log-group"
    of_service = False

    async def create(self, operation: Operation) -> Made:
        urn = operation.resource.urn
        name = self._name(urn)

        async def make() -> Answer:
            return await self.account.call("logs", "create_log_group", logGroupName=name, tags=self.tags(urn))

        made = await self.claimed(urn, _EXISTS, make, f"log group {name}")
        await self._keep(operation)
        return made

    async def update(self, operation: Operation) -> Made:
        await self._keep(operation)
        return self.made(operation.resource.urn, {})

    async def find(self, urn: str) -> Made | None:
        return self.made(urn, {}) if await self._days([self._name(urn)]) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        live = await self._days([each.id for each in recorded])
        return {
            each.urn: {**each.outputs, LIVE_INPUTS: {"days": live[each.id]}} if each.id in live else None for each in recorded
        }

    async def delete(self, recorded: Recorded) -> None:
        await ignoring(_GONE, self.account.call("logs", "delete_log_group", logGroupName=recorded.id))

    def made(self, urn: str, answer: Answer) -> Made:
        name = self._name(urn)
        return Made(id=name, outputs={"name": name})

    def by_arn(self, arn: str) -> Known:
        name = arn.removesuffix(":*").rpartition(":")[2]
        return Known(id=name, outputs={"name": name})

    def _name(self, urn: str) -> str:
        return names.log_group(self.stack, names.parts(urn)[0])

    async def _keep(self, operation: Operation) -> None:
        name, days = self._name(operation.resource.urn), operation.resource.inputs["days"]
        await self.account.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)

    async def _days(self, wanted: Sequence[str]) -> dict[str, int | None]:
        """Of those log groups that are there."""
        found: dict[str, int | None] = {}
        for name in wanted:
            answer = await self.account.call("logs", "describe_log_groups", logGroupNamePrefix=name)
            found |= {
                each["logGroupName"]: each.get("retentionInDays")
                for each in answer["logGroups"]
                if each["logGroupName"] == name
            }
        return found

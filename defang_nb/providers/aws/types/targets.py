"""`aws:elb/TargetGroup`: the tasks behind a published port, and how the load balancer sees that they are well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.types.base import ignoring, once_free
from defang_nb.providers.aws.types.elb import GONE, LONGEST_NAME, ElbType, first, read
from defang_nb.providers.aws.types.inventory import Known
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation

_TAKEN = ("DuplicateTargetGroupName",)
_DRAIN = "deregistration_delay.timeout_seconds"


class TargetGroupType(ElbType):
    """Inputs: `vpc`, `port`, `version` (HTTP1, HTTP2 or GRPC), `check` {path, codes, interval, timeout, healthy, unhealthy},
    `drain_seconds`. Outputs: `arn`."""

    name = kinds.TARGETS
    idempotent = True
    resource = "elasticloadbalancing:targetgroup"
    replace_on = frozenset({"vpc", "port", "version"})

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs

        async def make() -> Answer:
            return await self.account.call(
                "elbv2",
                "create_target_group",
                Name=self.called(urn, longest=LONGEST_NAME),
                Protocol="HTTP",
                ProtocolVersion=inputs["version"],
                Port=inputs["port"],
                VpcId=inputs["vpc"],
                TargetType="ip",
                **_check(inputs),
                Tags=self.pairs(urn),
            )

        made = await self.claimed(urn, _TAKEN, make, "target group of this name")
        await self._drain(made.id, inputs)
        return made

    async def update(self, operation: Operation) -> Made:
        inputs, previous = operation.resource.inputs, operation.previous
        if previous is None:
            return await self.create(operation)
        before = self.known(operation)
        if inputs["check"] != before.get("check"):
            await self.account.call("elbv2", "modify_target_group", TargetGroupArn=previous.id, **_check(inputs))
        if inputs["drain_seconds"] != before.get("drain_seconds"):
            await self._drain(previous.id, inputs)
        return Made(id=previous.id, outputs=previous.outputs)

    async def find(self, urn: str) -> Made | None:
        name = self.called(urn, longest=LONGEST_NAME)
        answer = await ignoring(GONE, self.account.call("elbv2", "describe_target_groups", Names=[name]))
        if not answer or not answer["TargetGroups"]:
            return None
        made = self.made(urn, answer)
        return made if await self.ours(urn, [made.id]) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = await read(
            self.account, "describe_target_groups", "TargetGroupArns", "TargetGroups", [each.id for each in recorded]
        )
        live = {each["TargetGroupArn"]: each for each in found}
        return {
            each.urn: {**each.outputs, LIVE_INPUTS: {"check": _live_check(live[each.id])}} if each.id in live else None
            for each in recorded
        }

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        found = await read(self.account, "describe_target_groups", "TargetGroupArns", "TargetGroups", list(arns.values()))
        live = {each["TargetGroupArn"]: each for each in found}
        return {
            urn: Known(
                id=arn,
                outputs={"arn": arn},
                inputs={
                    "vpc": live[arn]["VpcId"],
                    "port": live[arn]["Port"],
                    "version": live[arn].get("ProtocolVersion", "HTTP1"),
                },
            )
            for urn, arn in arns.items()
            if arn in live
        }

    async def delete(self, recorded: Recorded) -> None:
        async def remove() -> Answer:
            return await self.account.call("elbv2", "delete_target_group", TargetGroupArn=recorded.id)

        await once_free(remove, used=("ResourceInUse",), gone=GONE, what=recorded.title or "a target group")

    def made(self, urn: str, answer: Answer) -> Made:
        arn = first(answer, "TargetGroups")["TargetGroupArn"]
        return Made(id=arn, outputs={"arn": arn})

    async def _drain(self, arn: str, inputs: Mapping[str, Json]) -> None:
        attributes = [{"Key": _DRAIN, "Value": str(inputs["drain_seconds"])}]
        await self.account.call("elbv2", "modify_target_group_attributes", TargetGroupArn=arn, Attributes=attributes)


def _check(inputs: Mapping[str, Json]) -> dict[str, Any]:
    check = inputs["check"]
    return {
        "HealthCheckEnabled": True,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": check["path"],
        "HealthCheckIntervalSeconds": check["interval"],
        "HealthCheckTimeoutSeconds": check["timeout"],
        "HealthyThresholdCount": check["healthy"],
        "UnhealthyThresholdCount": check["unhealthy"],
        "Matcher": {"GrpcCode" if inputs["version"] == "GRPC" else "HttpCode": check["codes"]},
    }


def _live_check(group: Mapping[str, Any]) -> dict[str, Json]:
    matcher = group.get("Matcher", {})
    return {
        "path": group.get("HealthCheckPath"),
        "codes": matcher.get("HttpCode") or matcher.get("GrpcCode"),
        "interval": group.get("HealthCheckIntervalSeconds"),
        "timeout": group.get("HealthCheckTimeoutSeconds"),
        "healthy": group.get("HealthyThresholdCount"),
        "unhealthy": group.get("UnhealthyThresholdCount"),
    }

"""`aws:autoscaling/Target`: how many tasks a service has, by how busy they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Recorded
from defang_nb.model.resource import urn as urn_of
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.types.base import AwsType, chunks, ignoring
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation

_WHAT = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
_POLICY = "cpu"
_MANY = 50
_GONE = ("ObjectNotFoundException",)


class ScalingTargetType(AwsType):
    """Inputs: `cluster`, `service`, `least`, `most`, `cpu_percent`. Outputs: `id`."""

    name = kinds.SCALING
    idempotent = True
    replace_on = frozenset({"cluster", "service"})

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        id_ = self._id(urn)
        await self.account.call(
            "application-autoscaling",
            "register_scalable_target",
            **_WHAT,
            ResourceId=id_,
            MinCapacity=inputs["least"],
            MaxCapacity=inputs["most"],
            Tags=self.tags(urn),
        )
        following = {
            "TargetValue": float(inputs["cpu_percent"]),
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        }
        await self.account.call(
            "application-autoscaling",
            "put_scaling_policy",
            **_WHAT,
            ResourceId=id_,
            PolicyName=_POLICY,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=following,
        )
        return Made(id=id_, outputs={"id": id_})

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        id_ = self._id(urn)
        return Made(id=id_, outputs={"id": id_}) if await self._targets([id_]) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        live = {each["ResourceId"]: each for each in await self._targets([each.id for each in recorded])}
        return {
            each.urn: {
                **each.outputs,
                LIVE_INPUTS: {"least": live[each.id]["MinCapacity"], "most": live[each.id]["MaxCapacity"]},
            }
            if each.id in live
            else None
            for each in recorded
        }

    async def delete(self, recorded: Recorded) -> None:
        """Its policy and alarms go with it."""
        call = self.account.call("application-autoscaling", "deregister_scalable_target", **_WHAT, ResourceId=recorded.id)
        await ignoring(_GONE, call)

    def _id(self, urn: str) -> str:
        project, service = names.parts(urn)
        return f"service/{self.base.cluster.rpartition('/')[2]}/{self.called(urn_of(project, kinds.SERVICE, service))}"

    async def _targets(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for some in chunks(list(ids), _MANY):
            said = {**_WHAT, "ResourceIds": list(some)}
            found += (await self.account.call("application-autoscaling", "describe_scalable_targets", **said))[
                "ScalableTargets"
            ]
        return found

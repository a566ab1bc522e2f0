"""`aws:elb/LoadBalancer`: the one address of a project's published ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.types.base import ignoring
from defang_nb.providers.aws.types.elb import GONE, LONGEST_NAME, ElbType, first, read
from defang_nb.providers.aws.types.inventory import Known
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation, Waiting

_PROTECTED = "deletion_protection.enabled"
_TAKEN = ("DuplicateLoadBalancerName",)


class LoadBalancerType(ElbType):
    """Inputs: `subnets`, `groups`, `deletion_protection`. Outputs: `arn`, `host` (its name in DNS), `zone` (that name's zone).

    It is there at once, and answers two or three minutes later: only what is shown to people waits for that.
    """

    name = kinds.BALANCER
    idempotent = True
    resource = "elasticloadbalancing:loadbalancer"
    of_service = False

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs

        async def make() -> Answer:
            return await self.account.call(
                "elbv2",
                "create_load_balancer",
                Name=self.called(urn, longest=LONGEST_NAME),
                Subnets=list(inputs["subnets"]),
                SecurityGroups=list(inputs["groups"]),
                Scheme="internet-facing",
                Type="application",
                IpAddressType="ipv4",
                Tags=self.pairs(urn),
            )

        made = await self.claimed(urn, _TAKEN, make, "load balancer of this name")
        if inputs["deletion_protection"]:
            await self._protect(made.id, True)
        return made

    async def update(self, operation: Operation) -> Made:
        inputs, previous = operation.resource.inputs, operation.previous
        if previous is None:
            return await self.create(operation)
        arn, before = previous.id, self.known(operation)
        if inputs["groups"] != before.get("groups"):
            groups = list(inputs["groups"])
            await self.account.call("elbv2", "set_security_groups", LoadBalancerArn=arn, SecurityGroups=groups)
        if inputs["subnets"] != before.get("subnets"):
            await self.account.call("elbv2", "set_subnets", LoadBalancerArn=arn, Subnets=list(inputs["subnets"]))
        if inputs["deletion_protection"] != before.get("deletion_protection"):
            await self._protect(arn, inputs["deletion_protection"])
        return Made(id=arn, outputs=previous.outputs)

    async def find(self, urn: str) -> Made | None:
        name = self.called(urn, longest=LONGEST_NAME)
        answer = await ignoring(GONE, self.account.call("elbv2", "describe_load_balancers", Names=[name]))
        if not answer or not answer["LoadBalancers"]:
            return None
        made = self.made(urn, answer)
        return made if await self.ours(urn, [made.id]) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        live = {each["LoadBalancerArn"]: each for each in await self._read([each.id for each in recorded])}
        return {
            each.urn: {**each.outputs, LIVE_INPUTS: {"groups": _order(each.inputs["groups"], live[each.id]["SecurityGroups"])}}
            if each.id in live and each.inputs
            else each.outputs
            if each.id in live
            else None
            for each in recorded
        }

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        live = {each["LoadBalancerArn"]: each for each in await self._read([each.made.id for each in waiting])}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            state = live[each.made.id]["State"] if each.made.id in live else {"Code": "gone"}
            if state["Code"] in ("active", "active_impaired"):
                found[each.operation.resource.urn] = each.made.outputs
            elif state["Code"] != "provisioning":
                why = state.get("Reason", "")
                found[each.operation.resource.urn] = ProviderError(f"the load balancer is {state['Code']} {why}".strip())
        return found

    async def delete(self, recorded: Recorded) -> None:
        """Agreed to by whoever takes the project down: protection is against everybody else."""
        if recorded.inputs.get("deletion_protection"):
            await ignoring(GONE, self._protect(recorded.id, False))
        await ignoring(GONE, self.account.call("elbv2", "delete_load_balancer", LoadBalancerArn=recorded.id))

    def made(self, urn: str, answer: Answer) -> Made:
        found = first(answer, "LoadBalancers")
        arn = found["LoadBalancerArn"]
        return Made(id=arn, outputs={"arn": arn, "host": found["DNSName"], "zone": found.get("CanonicalHostedZoneId", "")})

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        live = {each["LoadBalancerArn"]: each for each in await self._read(list(arns.values()))} if arns else {}
        made = {urn: self.made(urn, {"LoadBalancers": [live[arn]]}) for urn, arn in arns.items() if arn in live}
        return {urn: Known(id=each.id, outputs=each.outputs) for urn, each in made.items()}

    async def _read(self, arns: Sequence[str]) -> list[Mapping[str, Any]]:
        return await read(self.account, "describe_load_balancers", "LoadBalancerArns", "LoadBalancers", arns)

    async def _protect(self, arn: str, how: bool) -> Answer:
        attributes = [{"Key": _PROTECTED, "Value": str(how).lower()}]
        return await self.account.call("elbv2", "modify_load_balancer_attributes", LoadBalancerArn=arn, Attributes=attributes)


def _order(said: Sequence[str], live: Sequence[str]) -> list[str]:
    """`live`, in the order in which it was said."""
    return [each for each in said if each in live] + sorted(set(live) - set(said))

"""`aws:ec2/SecurityGroup`: who may call whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.types.base import ignoring, once_free
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation

_SELF = "self"
_GONE = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound")
_USED = ("DependencyViolation", "InvalidGroup.InUse", "ResourceInUse")


class SecurityGroupType(TaggedType):
    """Inputs: `vpc`, `description`, `ingress`: a list of {from: "self", a group or a network, port (all, without one)}.

    Outputs: `id`. Everything may go out. What is allowed by hand is found, and taken back.
    """

    name = kinds.GROUP
    idempotent = True
    resource = "ec2:security-group"
    of_service = False
    replace_on = frozenset({"vpc", "description"})

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        name = self.called(urn)

        async def make() -> Answer:
            return await self.account.call(
                "ec2",
                "create_security_group",
                GroupName=name,
                VpcId=inputs["vpc"],
                Description=inputs["description"],
                TagSpecifications=[{"ResourceType": "security-group", "Tags": self.pairs(urn)}],
            )

        made = await self.claimed(urn, ("InvalidGroup.Duplicate",), make, f"security group {name}")
        await self._allow(made.id, inputs["ingress"], ())
        return made

    async def update(self, operation: Operation) -> Made:
        id_ = operation.previous.id if operation.previous else ""
        live = await self._groups([{"Name": "group-id", "Values": [id_]}])
        await self._allow(id_, operation.resource.inputs["ingress"], _ingress(live[0]) if live else ())
        return Made(id=id_, outputs={"id": id_})

    async def find(self, urn: str) -> Made | None:
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in self.tags(urn).items()]
        found = await self._groups([*filters, {"Name": "group-name", "Values": [self.called(urn)]}])
        return self.made(urn, dict(found[0])) if found else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = await self._groups([{"Name": "group-id", "Values": [each.id for each in recorded]}])
        live = {each["GroupId"]: _ingress(each) for each in found}
        return {
            each.urn: {**each.outputs, LIVE_INPUTS: {"ingress": _as_said(each.inputs.get("ingress") or [], live[each.id])}}
            if each.id in live
            else None
            for each in recorded
        }

    async def delete(self, recorded: Recorded) -> None:
        """What ran in it may need a while to let go of it."""

        async def remove() -> Answer:
            return await self.account.call("ec2", "delete_security_group", GroupId=recorded.id)

        await once_free(remove, used=_USED, gone=_GONE, what=recorded.title or "a security group")

    def made(self, urn: str, answer: Answer) -> Made:
        return Made(id=answer["GroupId"], outputs={"id": answer["GroupId"]})

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        ids = {arn.rpartition("/")[2]: urn for urn, arn in arns.items()}
        found = await self._groups([{"Name": "group-id", "Values": list(ids)}]) if ids else []
        return {
            ids[each["GroupId"]]: Known(
                id=each["GroupId"],
                outputs={"id": each["GroupId"]},
                inputs={"vpc": each["VpcId"], "description": each["Description"], "ingress": _ingress(each)},
            )
            for each in found
        }

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn.rpartition("/")[2])

    async def _groups(self, filters: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
        answer = await self.account.call("ec2", "describe_security_groups", Filters=filters)
        found: list[Mapping[str, Any]] = answer["SecurityGroups"]
        return found

    async def _allow(self, id_: str, wanted: Sequence[Json], live: Sequence[Json]) -> None:
        changes = {
            "revoke": [each for each in live if each not in wanted],
            "authorize": [each for each in wanted if each not in live],
        }
        for verb, rules in changes.items():
            if rules:
                said = [_permission(each, id_) for each in rules]
                call = self.account.call("ec2", f"{verb}_security_group_ingress", GroupId=id_, IpPermissions=said)
                await ignoring(("InvalidPermission.Duplicate", "InvalidPermission.NotFound"), call)


def _permission(rule: Mapping[str, Json], own: str) -> dict[str, Any]:
    source = rule["from"]
    made: dict[str, Any] = {"IpProtocol": "-1"}
    if rule.get("port"):
        made = {"IpProtocol": "tcp", "FromPort": rule["port"], "ToPort": rule["port"]}
    if "." in source or ":" in source:
        return made | {"IpRanges": [{"CidrIp": source}]}
    return made | {"UserIdGroupPairs": [{"GroupId": own if source == _SELF else source}]}


def _ingress(group: Mapping[str, Any]) -> list[Json]:
    """What is allowed, as inputs say it."""
    return [rule for permission in group.get("IpPermissions", ()) for rule in _rules(permission, group["GroupId"])]


def _rules(permission: Mapping[str, Any], own: str) -> Iterator[Json]:
    port = {"port": permission["FromPort"]} if permission.get("FromPort") not in (None, -1) else {}
    for pair in permission.get("UserIdGroupPairs", ()):
        yield {**port, "from": _SELF if pair["GroupId"] == own else pair["GroupId"]}
    for network in permission.get("IpRanges", ()):
        yield {**port, "from": network["CidrIp"]}


def _as_said(said: Sequence[Json], live: Sequence[Json]) -> list[Json]:
    """`live`, in the order in which it was said."""
    return [each for each in said if each in live] + [each for each in live if each not in said]

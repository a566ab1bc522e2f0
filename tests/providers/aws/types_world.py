"""An account with what the bootstrap makes, and resources taken through their lives in it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import resolve
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.types import resource_types
from defang_nb.provision.order import creation_order
from defang_nb.provision.ports import Made, Operation, ResourceType
from defang_nb.provision.recovery import record_of
from tests.providers.aws.plans import BASE, STACK

_WAITED = (
    "aws:acm/Certificate",
    "aws:discovery/Namespace",
    "aws:rds/Instance",
    "aws:elasticache/ReplicationGroup",
    "aws:efs/FileSystem",
    "aws:acm/EdgeCertificate",
)
"""Types whose resources can be used by others only once they are ready."""


async def prepared(account: Account) -> Base:
    """The network, the cluster and the boundary that everything of a project stands on."""
    place = {"LocationConstraint": account.region}
    await account.call("s3", "create_bucket", Bucket=BASE.bucket, CreateBucketConfiguration=place)
    vpc = (await account.call("ec2", "create_vpc", CidrBlock="10.0.0.0/16"))["Vpc"]["VpcId"]
    subnets = []
    for number, zone in enumerate("ab"):
        made = await account.call(
            "ec2", "create_subnet", VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{account.region}{zone}"
        )
        subnets.append(made["Subnet"]["SubnetId"])
    group = await account.call("ec2", "create_security_group", GroupName="public", VpcId=vpc, Description="public")
    cluster = await account.call("ecs", "create_cluster", clusterName="defang")
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    boundary = await account.call("iam", "create_policy", PolicyName="boundary", PolicyDocument=policy)
    allowed = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [allowed]}
    execution = await account.call("iam", "create_role", RoleName="execution", AssumeRolePolicyDocument=json.dumps(trust))
    return msgspec.structs.replace(
        BASE,
        execution_role=execution["Role"]["Arn"],
        vpc=vpc,
        subnets=tuple(subnets),
        public_group=group["GroupId"],
        cluster=cluster["cluster"]["clusterArn"],
        boundary=boundary["Policy"]["Arn"],
    )


class World:
    """Resources of one stack, made one after the other as the engine would, with what is recorded of them."""

    def __init__(self, account: Account, base: Base) -> None:
        self.account = account
        self.base = base
        self.types: Mapping[str, ResourceType] = {each.name: each for each in resource_types(account, base, STACK)}
        self.recorded: dict[str, Recorded] = {}
        self.told: list[Any] = []

    def operation(self, resource: Resource) -> Operation:
        def output(urn: str, name: str) -> Any:
            return self.recorded[urn].outputs[name]

        known = msgspec.structs.replace(resource, inputs=resolve(dict(resource.inputs), output))
        previous = self.recorded.get(resource.urn)
        return Operation(resource=known, token=uuid.uuid4().hex, deployment="d1", emit=self.told.append, previous=previous)

    async def make(self, resources: Sequence[Resource]) -> None:
        """Create what is not there, update what differs."""
        for resource in creation_order(resources):
            if resource.type not in self.types:
                continue
            operation, type_ = self.operation(resource), self.types[resource.type]
            before = self.recorded.get(resource.urn)
            if before is not None and before.inputs == operation.resource.inputs:
                continue
            made = await (type_.create(operation) if before is None else type_.update(operation))
            while resource.type in _WAITED:
                outputs = await type_.poll_many([_waiting(operation, made)])  # type: ignore[attr-defined]
                if resource.urn in outputs:
                    made = Made(id=made.id, outputs={**made.outputs, **outputs[resource.urn]})
                    break
                await asyncio.sleep(0.02)
            self.recorded[resource.urn] = record_of(operation.resource, made, deployment="d1", ready=True)

    async def read(self) -> dict[str, Any]:
        groups: dict[str, list[Recorded]] = {}
        for record in self.recorded.values():
            groups.setdefault(record.type, []).append(record)
        found: dict[str, Any] = {}
        for name, group in groups.items():
            found.update(await self.types[name].read_many(group))
        return found

    async def remove(self) -> None:
        for record in reversed(list(self.recorded.values())):
            await self.types[record.type].delete(record)
        self.recorded.clear()


def _waiting(operation: Operation, made: Made) -> Any:
    from defang_nb.provision.ports import Waiting

    return Waiting(operation=operation, made=made, seconds=1.0)

"""`aws:elasticache/…`: a managed Redis, which is Valkey: the subnets that it may be in, and the store itself."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, DeploymentFailedError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.types.base import Together, ignoring, is_ours
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.providers.aws.types.rds import Named
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation, Waiting

_GONE = ("ReplicationGroupNotFoundFault",)
_TAKEN = ("ReplicationGroupAlreadyExists", "ReplicationGroupAlreadyExistsFault")
_LONGEST = 40
_PATIENCE = 3600.0
"""Seconds."""


class CacheSubnetGroupType(Named):
    """Inputs: `subnets`. Outputs: `name`."""

    name = kinds.CACHE_SUBNETS
    resource = "elasticache:subnetgroup"
    of_service = False
    modify_call = "modify_cache_subnet_group"
    service = "elasticache"
    create_call, describe_call = "create_cache_subnet_group", "describe_cache_subnet_groups"
    delete_call, key, listed = "delete_cache_subnet_group", "CacheSubnetGroupName", "CacheSubnetGroups"
    taken, gone, used = "CacheSubnetGroupAlreadyExists", "CacheSubnetGroupNotFoundFault", "CacheSubnetGroupInUse"

    def arguments(self, urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
        return {"CacheSubnetGroupDescription": "stores of a project", "SubnetIds": list(inputs["subnets"])}

    def arn_of(self, found: Mapping[str, Any]) -> str:
        return str(found["ARN"])


class CacheType(TaggedType):
    """Inputs: see `compile.stores`. Outputs: `address`, `port`, `endpoints`.

    It takes clients with TLS and without, as what a client can do is not known here; its network keeps all others out.
    """

    name = kinds.CACHE
    resource = "elasticache:replicationgroup"
    holds_data = True

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._leaving = Together(self._there)

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        name = self._id(urn)
        if any(each["Status"] == "deleting" for each in await self._describe([name])):
            await self._leaving.gone(name)
        more = {"SnapshotName": inputs["from_snapshot"]} if inputs["from_snapshot"] else {}

        async def make() -> Answer:
            return await self.account.call(
                "elasticache",
                "create_replication_group",
                ReplicationGroupId=name,
                ReplicationGroupDescription=f"{operation.resource.service} of a project",
                Engine="valkey",
                EngineVersion=inputs["version"],
                CacheNodeType=inputs["class"],
                NumCacheClusters=1 + inputs["replicas"],
                AutomaticFailoverEnabled=inputs["replicas"] > 0,
                MultiAZEnabled=inputs["multi_az"],
                CacheSubnetGroupName=inputs["subnets"],
                SecurityGroupIds=list(inputs["groups"]),
                Port=inputs["port"],
                AtRestEncryptionEnabled=True,
                TransitEncryptionEnabled=True,
                TransitEncryptionMode="preferred",
                SnapshotRetentionLimit=_days(inputs),
                Tags=self.pairs(urn),
                **more,
            )

        return await self.claimed(urn, _TAKEN, make, f"store {name}")

    async def update(self, operation: Operation) -> Made:
        inputs, previous = operation.resource.inputs, operation.previous
        name, before = self._id(operation.resource.urn), previous.inputs if previous else {}
        wanted, was = _changeable(inputs), _changeable(before) if before else {}
        said = {key: value for key, value in wanted.items() if was.get(key) != value}
        more, less = inputs["replicas"] > before.get("replicas", 0), inputs["replicas"] < before.get("replicas", 0)
        if more:
            await self._replicas("increase_replica_count", name, inputs["replicas"])
        if said:
            call = {"ReplicationGroupId": name, "ApplyImmediately": True, **said}
            await self.account.call("elasticache", "modify_replication_group", **call)
        if less:
            await self._replicas("decrease_replica_count", name, inputs["replicas"])
        return Made(id=name, outputs=previous.outputs if previous else {})

    async def find(self, urn: str) -> Made | None:
        for each in await self._describe([self._id(urn)]):
            if each["Status"] != "deleting":
                tags = await self.account.call("elasticache", "list_tags_for_resource", ResourceName=each["ARN"])
                return self.made(urn, {"ReplicationGroup": each}) if is_ours(self.tags(urn), tags["TagList"]) else None
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = {each["ReplicationGroupId"]: each for each in await self._describe([each.id for each in recorded])}
        live = {name: each for name, each in found.items() if each["Status"] != "deleting"}
        return {
            each.urn: {**each.outputs, LIVE_INPUTS: {"class": live[each.id].get("CacheNodeType") or each.inputs["class"]}}
            if each.id in live
            else None
            for each in recorded
        }

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        live = {each["ReplicationGroupId"]: each for each in await self._describe([each.made.id for each in waiting])}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            urn, store = each.operation.resource.urn, live.get(each.made.id)
            state = store["Status"] if store else "deleted"
            if store is None or state in ("create-failed", "deleting"):
                hint = "see ElastiCache in AWS's console"
                found[urn] = DeploymentFailedError(f"the store {each.made.id} is {state}", hint=hint)
            elif each.seconds > _PATIENCE:
                said = f"the store {each.made.id} is {state} after {_PATIENCE / 60:g} minutes"
                found[urn] = DeploymentFailedError(said, hint="see ElastiCache in AWS's console; `up` again goes on")
            elif state == "available":
                found[urn] = _outputs(store)
        return found

    async def delete(self, recorded: Recorded) -> None:
        """With a last snapshot, where the mode keeps one."""
        name = recorded.id
        there = await self._describe([name])
        if not there:
            return
        if there[0]["Status"] != "deleting":
            kept = {"FinalSnapshotIdentifier": f"{name[:28].rstrip('-')}-{int(time.time())}"}
            how = kept if recorded.inputs.get("final_snapshot") else {}
            deleting = self.account.call("elasticache", "delete_replication_group", ReplicationGroupId=name, **how)
            await ignoring(_GONE, deleting)
        await self._leaving.gone(name)

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        ids = {arn.rpartition(":")[2]: urn for urn, arn in arns.items()}
        found = await self._describe(list(ids)) if ids else []
        return {ids[each["ReplicationGroupId"]]: _known(each) for each in found if _primary(each)}

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn.rpartition(":")[2])

    def made(self, urn: str, answer: Answer) -> Made:
        store = answer["ReplicationGroup"]
        return Made(id=self._id(urn), outputs=_outputs(store) if _primary(store) else {})

    def _id(self, urn: str) -> str:
        return self.called(urn, longest=_LONGEST).lower()

    async def _replicas(self, operation: str, name: str, count: int) -> None:
        said = {"ReplicationGroupId": name, "NewReplicaCount": count, "ApplyImmediately": True}
        await self.account.call("elasticache", operation, **said)

    async def _describe(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """One is asked for by its name; of many, all there are."""
        said = {"ReplicationGroupId": ids[0]} if len(ids) == 1 else {}
        answer = await ignoring(_GONE, self.account.call("elasticache", "describe_replication_groups", **said))
        found: list[Mapping[str, Any]] = answer["ReplicationGroups"] if answer else []
        return [each for each in found if each["ReplicationGroupId"] in ids]

    async def _there(self, ids: Sequence[str]) -> list[str]:
        return [each["ReplicationGroupId"] for each in await self._describe(ids)]


def _days(inputs: Mapping[str, Json]) -> int:
    """Of backups, which the smallest mode does without: each takes memory that the smallest nodes don't have."""
    return int(inputs["backup_days"]) if inputs["final_snapshot"] else 0


def _changeable(inputs: Mapping[str, Json]) -> dict[str, Any]:
    return {
        "CacheNodeType": inputs["class"],
        "EngineVersion": inputs["version"],
        "SecurityGroupIds": list(inputs["groups"]),
        "MultiAZEnabled": inputs["multi_az"],
        "AutomaticFailoverEnabled": inputs["replicas"] > 0,
        "SnapshotRetentionLimit": _days(inputs),
    }


def _primary(store: Mapping[str, Any]) -> Mapping[str, Any]:
    groups = store.get("NodeGroups") or [{}]
    found: Mapping[str, Any] = groups[0].get("PrimaryEndpoint") or {}
    return found


def _known(store: Mapping[str, Any]) -> Known:
    return Known(id=store["ReplicationGroupId"], outputs=_outputs(store))


def _outputs(store: Mapping[str, Any]) -> dict[str, Json]:
    address, port = _primary(store)["Address"], _primary(store)["Port"]
    endpoint = {"url": f"rediss://{address}:{port}", "port": port, "public": False}
    return {"address": address, "port": port, "endpoints": [endpoint]}

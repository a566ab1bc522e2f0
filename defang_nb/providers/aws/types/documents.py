"""`aws:docdb/…`: a managed MongoDB: the cluster, which holds the data, and the instances that answer."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from defang_nb.errors import DefangError, DeploymentFailedError, ProviderError, UsageError
from defang_nb.model.events import LogLine
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.compile import documents
from defang_nb.providers.aws.types.base import Together, ignoring, is_ours
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.providers.aws.types.texts import filled
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation, Waiting

_LONGEST = 63
_NEVER = ("failed", "restore-error", "incompatible", "inaccessible-encryption", "insufficient-capacity")
"""What states begin with, from which nothing comes back by itself."""
_PATIENCE = 3600.0
"""Seconds."""


class _Part(TaggedType):
    """What a cluster and an instance have in common; `key`, `arn` and `status` are AWS's names of what tells one."""

    holds_data = True
    key: ClassVar[str]
    arn: ClassVar[str]
    status: ClassVar[str]
    gone: ClassVar[tuple[str, ...]]

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._leaving = Together(self._there)

    @abstractmethod
    async def describe(self, ids: Sequence[str]) -> list[Mapping[str, Any]]: ...

    @abstractmethod
    def outputs(self, found: Mapping[str, Any]) -> dict[str, Json]: ...

    @abstractmethod
    def live(self, found: Mapping[str, Any]) -> dict[str, Json]:
        """Inputs as they are now, of those that others may have changed."""

    async def find(self, urn: str) -> Made | None:
        for each in await self.describe([self.id_of(urn)]):
            if each[self.status] == "deleting":
                continue
            answer = await self.account.call("docdb", "list_tags_for_resource", ResourceName=each[self.arn])
            if is_ours(self.tags(urn), answer["TagList"]):
                return Made(id=self.id_of(urn), outputs=self.outputs(each))
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = {each[self.key]: each for each in await self.describe([each.id for each in recorded])}
        live = {name: each for name, each in found.items() if each[self.status] != "deleting"}
        return {
            each.urn: {**each.outputs, LIVE_INPUTS: self.live(live[each.id])} if each.id in live else None for each in recorded
        }

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        live = {each[self.key]: each for each in await self.describe([each.made.id for each in waiting])}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            urn, part = each.operation.resource.urn, live.get(each.made.id)
            state = part[self.status] if part else "deleted"
            if part is None or state.startswith(_NEVER):
                found[urn] = DeploymentFailedError(f"{each.made.id} is {state}", hint="see DocumentDB in AWS's console")
            elif each.seconds > _PATIENCE:
                said = f"{each.made.id} is {state} after {_PATIENCE / 60:g} minutes"
                found[urn] = DeploymentFailedError(said, hint="see DocumentDB in AWS's console; `up` again goes on")
            elif state == "available" and not await self.takes_over(each):
                found[urn] = {**each.made.outputs, **self.outputs(part)}
        return found

    @abstractmethod
    def fixed(self, found: Mapping[str, Any]) -> dict[str, Json]:
        """Inputs that can't be changed."""

    async def takes_over(self, waiting: Waiting) -> bool:
        """Whether it was just told something that has to be done before it is usable."""
        return False

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        ids = {arn.rpartition(":")[2]: urn for urn, arn in arns.items()}
        found = await self.describe(list(ids)) if ids else []
        return {
            ids[each[self.key]]: Known(id=each[self.key], outputs=self.outputs(each), inputs=self.fixed(each)) for each in found
        }

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn.rpartition(":")[2])

    def id_of(self, urn: str) -> str:
        return self.called(urn, longest=_LONGEST).lower()

    async def wait_until_gone(self, name: str) -> None:
        await self._leaving.gone(name)

    async def is_leaving(self, name: str) -> bool:
        return any(each[self.status] == "deleting" for each in await self.describe([name]))

    async def _there(self, ids: Sequence[str]) -> list[str]:
        return [each[self.key] for each in await self.describe(ids)]


class DocumentsType(_Part):
    """Inputs: see `compile.stores`. Outputs: `cluster` (its name), `address`, which is that of the instance that writes."""

    name = kinds.DOCUMENTS
    resource = "rds:cluster"
    replace_on = frozenset({"user", "subnets", "port"})
    key, arn, status = "DBClusterIdentifier", "DBClusterArn", "Status"
    gone = ("DBClusterNotFoundFault", "DBClusterNotFound")

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._restored: set[str] = set()

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        name, password = self.id_of(urn), await self._password(operation)
        if await self.is_leaving(name):
            await self.wait_until_gone(name)
        same: dict[str, Any] = {
            "DBClusterIdentifier": name,
            "Engine": "docdb",
            "EngineVersion": inputs["version"],
            "Port": inputs["port"],
            "DBSubnetGroupName": inputs["subnets"],
            "VpcSecurityGroupIds": list(inputs["groups"]),
            "DeletionProtection": inputs["deletion_protection"],
            "Tags": self.pairs(urn),
        }

        async def make() -> Answer:
            if inputs["from_snapshot"]:
                snapshot = {"SnapshotIdentifier": inputs["from_snapshot"]}
                return await self.account.call("docdb", "restore_db_cluster_from_snapshot", **same, **snapshot)
            return await self.account.call(
                "docdb",
                "create_db_cluster",
                **same,
                StorageEncrypted=True,
                BackupRetentionPeriod=inputs["backup_days"],
                MasterUsername=await self._text(urn, inputs["user"]),
                MasterUserPassword=password,
            )

        return await self.claimed(urn, ("DBClusterAlreadyExistsFault",), make, f"DocumentDB cluster {name}")

    async def update(self, operation: Operation) -> Made:
        urn, inputs, previous = operation.resource.urn, operation.resource.inputs, operation.previous
        before = previous.inputs if previous else {}
        changed = {key for key in inputs if inputs[key] != before.get(key)}
        if "version" in changed and before and not inputs["allow_downtime"]:
            versions = f"{before['version']} becomes {inputs['version']}"
            raise UsageError(
                f"{operation.resource.service}: DocumentDB {versions} only while it is down",
                hint="allow that: `x-defang-mongodb: {allow-downtime: true}`",
            )
        words = {
            "groups": "VpcSecurityGroupIds",
            "backup_days": "BackupRetentionPeriod",
            "deletion_protection": "DeletionProtection",
            "version": "EngineVersion",
        }
        said: dict[str, Any] = {word: inputs[key] for key, word in words.items() if key in changed}
        said |= {"AllowMajorVersionUpgrade": True} if "EngineVersion" in said else {}
        if changed & {"password", "config_digests"}:
            said["MasterUserPassword"] = await self._password(operation)
        if said:
            await self._modify(self.id_of(urn), **said)
        return Made(id=self.id_of(urn), outputs=previous.outputs if previous else {})

    async def delete(self, recorded: Recorded) -> None:
        """With a last snapshot, where the mode keeps one. Protection is taken off: the loss of it was agreed to."""
        name = recorded.id
        if recorded.inputs.get("deletion_protection"):
            await ignoring(self.gone, self._modify(name, DeletionProtection=False))
        kept = {"FinalDBSnapshotIdentifier": f"{name[:40].rstrip('-')}-{int(time.time())}"}
        how = kept if recorded.inputs.get("final_snapshot") else {"SkipFinalSnapshot": True}
        if not await self.is_leaving(name):
            deleting = self.account.call("docdb", "delete_db_cluster", DBClusterIdentifier=name, **how)
            if await ignoring(self.gone, deleting) is None:
                return
        await self.wait_until_gone(name)

    async def takes_over(self, waiting: Waiting) -> bool:
        """One of a snapshot has the snapshot's password until it is told ours."""
        inputs, name = waiting.operation.resource.inputs, waiting.made.id
        if not inputs["from_snapshot"] or waiting.operation.previous is not None or name in self._restored:
            return False
        self._restored.add(name)
        password = await self._password(waiting.operation)
        await self._modify(name, MasterUserPassword=password, BackupRetentionPeriod=inputs["backup_days"])
        return True

    async def describe(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        filters = [{"Name": "db-cluster-id", "Values": list(ids)}]
        pages = await self.account.pages("docdb", "describe_db_clusters", Filters=filters)
        return [each for page in pages for each in page["DBClusters"]]

    def outputs(self, found: Mapping[str, Any]) -> dict[str, Json]:
        return {"cluster": found["DBClusterIdentifier"], "address": found["Endpoint"]}

    def live(self, found: Mapping[str, Any]) -> dict[str, Json]:
        return {"deletion_protection": bool(found.get("DeletionProtection"))}

    def fixed(self, found: Mapping[str, Any]) -> dict[str, Json]:
        return {"user": found["MasterUsername"], "subnets": found["DBSubnetGroup"], "port": found["Port"]}

    def made(self, urn: str, answer: Answer) -> Made:
        return Made(id=self.id_of(urn), outputs=self.outputs(answer["DBCluster"]))

    async def _modify(self, name: str, **said: Any) -> Answer:
        return await self.account.call("docdb", "modify_db_cluster", DBClusterIdentifier=name, ApplyImmediately=True, **said)

    async def _password(self, operation: Operation) -> str:
        said, urn = operation.resource.inputs["password"], operation.resource.urn
        if "parameter" in said:
            answer = await self.account.call("ssm", "get_parameter", Name=said["parameter"], WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        text = await self._text(urn, said["text"])
        if not documents.fits(text):
            raise ProviderError(
                f"{operation.resource.service}: DocumentDB does not take this {documents.PASSWORD}",
                hint=f"it must be {documents.RULE}; without one, one is made",
            )
        return text

    async def _text(self, urn: str, value: Json) -> str:
        return await filled(self.account, self.stack, names.parts(urn)[0], value)


class DocumentNodeType(_Part):
    """Inputs: `cluster`, `address`, `class`, `port`, `allow_downtime`. Outputs: `address`, `port`, `endpoints`."""

    name = kinds.DOCUMENT_NODE
    resource = "rds:db"
    replace_on = frozenset({"cluster"})
    key, arn, status = "DBInstanceIdentifier", "DBInstanceArn", "DBInstanceStatus"
    gone = ("DBInstanceNotFoundFault", "DBInstanceNotFound")

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        name = self.id_of(urn)
        if await self.is_leaving(name):
            await self.wait_until_gone(name)

        async def make() -> Answer:
            return await self.account.call(
                "docdb",
                "create_db_instance",
                DBInstanceIdentifier=name,
                DBInstanceClass=inputs["class"],
                Engine="docdb",
                DBClusterIdentifier=inputs["cluster"],
                AutoMinorVersionUpgrade=True,
                Tags=self.pairs(urn),
            )

        taken = ("DBInstanceAlreadyExists", "DBInstanceAlreadyExistsFault")
        made = await self.claimed(urn, taken, make, f"DocumentDB instance {name}")
        return Made(id=made.id, outputs=_reached(inputs))

    async def update(self, operation: Operation) -> Made:
        urn, inputs, previous = operation.resource.urn, operation.resource.inputs, operation.previous
        if previous is None or previous.inputs.get("class") != inputs["class"]:
            if not inputs["allow_downtime"]:
                line = "class will change in the database's next maintenance window; allow-downtime: at once"
                operation.emit(LogLine(service=operation.resource.service, line=line))
            await self.account.call(
                "docdb",
                "modify_db_instance",
                DBInstanceIdentifier=self.id_of(urn),
                DBInstanceClass=inputs["class"],
                ApplyImmediately=inputs["allow_downtime"],
            )
        return Made(id=self.id_of(urn), outputs=_reached(inputs))

    async def delete(self, recorded: Recorded) -> None:
        if not await self.is_leaving(recorded.id):
            deleting = self.account.call("docdb", "delete_db_instance", DBInstanceIdentifier=recorded.id)
            if await ignoring(self.gone, deleting) is None:
                return
        await self.wait_until_gone(recorded.id)

    async def describe(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        filters = [{"Name": "db-instance-id", "Values": list(ids)}]
        pages = await self.account.pages("docdb", "describe_db_instances", Filters=filters)
        return [each for page in pages for each in page["DBInstances"]]

    def outputs(self, found: Mapping[str, Any]) -> dict[str, Json]:
        """By its own address it may only be read, once another one writes: who uses the store is told the cluster's."""
        return {}

    def live(self, found: Mapping[str, Any]) -> dict[str, Json]:
        now = {**found, **found.get("PendingModifiedValues", {})}
        return {"class": now.get("DBInstanceClass")}

    def fixed(self, found: Mapping[str, Any]) -> dict[str, Json]:
        return {"cluster": found["DBClusterIdentifier"]}

    def made(self, urn: str, answer: Answer) -> Made:
        return Made(id=self.id_of(urn))


def _reached(inputs: Mapping[str, Json]) -> dict[str, Json]:
    address, port = inputs["address"], inputs["port"]
    endpoint = {"url": f"mongodb://{address}:{port}", "port": port, "public": False}
    return {"address": address, "port": port, "endpoints": [endpoint]}

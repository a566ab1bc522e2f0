"""`aws:rds/Instance`: a managed Postgres."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, DeploymentFailedError, ProviderError, UsageError
from defang_nb.model.events import LogLine
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.compile.stores import RULE, fits
from defang_nb.providers.aws.types.base import Together, ignoring, is_ours
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.providers.aws.types.texts import filled
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation, Waiting

_GONE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
_TAKEN = ("DBInstanceAlreadyExists", "DBInstanceAlreadyExistsFault")
_LONGEST = 63
_NEVER = ("failed", "restore-error", "incompatible", "inaccessible-encryption", "insufficient-capacity")
"""What states begin with, from which a database does not come back by itself."""
_PATIENCE = 3600.0
"""Seconds: in several zones, or of a large snapshot, one takes half an hour to make."""
_WHEN_ALLOWED = ("class", "multi_az", "version", "parameters")
"""Of these a change makes the database go away for a while."""


class DatabaseType(TaggedType):
    """Inputs: see `compile.stores`. Outputs: `address`, `port`, `endpoints`."""

    name = kinds.DATABASE
    resource = "rds:db"
    holds_data = True
    replace_on = frozenset({"user", "database", "subnets", "port"})

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._leaving = Together(self._there)
        self._restored: set[str] = set()

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        name, password = self._id(urn), await self._password(operation)
        if await self._is_leaving(name):
            await self._leaving.gone(name)
        same: dict[str, Any] = {
            "DBInstanceIdentifier": name,
            "DBInstanceClass": inputs["class"],
            "DBSubnetGroupName": inputs["subnets"],
            "DBParameterGroupName": inputs["parameters"],
            "VpcSecurityGroupIds": list(inputs["groups"]),
            "MultiAZ": inputs["multi_az"],
            "Port": inputs["port"],
            "PubliclyAccessible": False,
            "DeletionProtection": inputs["deletion_protection"],
            "CopyTagsToSnapshot": True,
            "AutoMinorVersionUpgrade": True,
            "Tags": self.pairs(urn),
        }

        async def make() -> Answer:
            if inputs["from_snapshot"]:
                snapshot = {"DBSnapshotIdentifier": inputs["from_snapshot"]}
                return await self.account.call("rds", "restore_db_instance_from_db_snapshot", **same, **snapshot)
            return await self.account.call(
                "rds",
                "create_db_instance",
                **same,
                Engine="postgres",
                EngineVersion=inputs["version"],
                StorageType="gp3",
                AllocatedStorage=inputs["storage"],
                MaxAllocatedStorage=inputs["most_storage"],
                StorageEncrypted=True,
                BackupRetentionPeriod=inputs["backup_days"],
                MasterUsername=await self._text(urn, inputs["user"]),
                MasterUserPassword=password,
                **await self._database(urn, inputs),
            )

        return await self.claimed(urn, _TAKEN, make, f"database {name}")

    async def update(self, operation: Operation) -> Made:
        urn, inputs, previous = operation.resource.urn, operation.resource.inputs, operation.previous
        before = previous.inputs if previous else {}
        changed = {key for key in inputs if inputs[key] != before.get(key)}
        if "version" in changed and before and not inputs["allow_downtime"]:
            raise UsageError(
                f"{operation.resource.service}: Postgres {before['version']} becomes {inputs['version']} only while it is down",
                hint="allow that: `x-defang-postgres: {allow-downtime: true}`",
            )
        said = _wanted(inputs, changed)
        if changed & {"password", "config_digests"}:
            said["MasterUserPassword"] = await self._password(operation)
        if said:
            if later := sorted(changed & set(_WHEN_ALLOWED)) if not inputs["allow_downtime"] else []:
                line = f"{', '.join(later)} will change in the database's next maintenance window; allow-downtime: at once"
                operation.emit(LogLine(service=operation.resource.service, line=line))
            now = inputs["allow_downtime"]
            await self.account.call(
                "rds", "modify_db_instance", DBInstanceIdentifier=self._id(urn), ApplyImmediately=now, **said
            )
        return Made(id=self._id(urn), outputs=previous.outputs if previous else {})

    async def find(self, urn: str) -> Made | None:
        for each in await self._describe([self._id(urn)]):
            if each["DBInstanceStatus"] != "deleting" and is_ours(self.tags(urn), each.get("TagList", ())):
                return self.made(urn, {"DBInstance": each})
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = {each["DBInstanceIdentifier"]: each for each in await self._describe([each.id for each in recorded])}
        live = {name: each for name, each in found.items() if each["DBInstanceStatus"] != "deleting"}
        return {each.urn: {**each.outputs, LIVE_INPUTS: _live(live[each.id])} if each.id in live else None for each in recorded}

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        live = {each["DBInstanceIdentifier"]: each for each in await self._describe([each.made.id for each in waiting])}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            urn, database = each.operation.resource.urn, live.get(each.made.id)
            state = database["DBInstanceStatus"] if database else "deleted"
            if database is None or state.startswith(_NEVER):
                found[urn] = DeploymentFailedError(f"the database {each.made.id} is {state}", hint="see RDS in AWS's console")
            elif each.seconds > _PATIENCE:
                said = f"the database {each.made.id} is {state} after {_PATIENCE / 60:g} minutes"
                found[urn] = DeploymentFailedError(said, hint="see RDS in AWS's console; `up` again goes on")
            elif state == "available" and not await self._takes_over(each):
                found[urn] = _outputs(database)
        return found

    async def delete(self, recorded: Recorded) -> None:
        """With a last snapshot, where the mode keeps one. Protection is taken off: the loss of it was agreed to."""
        name = recorded.id
        if recorded.inputs.get("deletion_protection"):
            off = self.account.call("rds", "modify_db_instance", DBInstanceIdentifier=name, DeletionProtection=False)
            await ignoring(_GONE, off)
        kept = {"FinalDBSnapshotIdentifier": f"{name[:40].rstrip('-')}-{int(time.time())}"}
        how = kept if recorded.inputs.get("final_snapshot") else {"SkipFinalSnapshot": True}
        if not await self._is_leaving(name):
            deleting = self.account.call("rds", "delete_db_instance", DBInstanceIdentifier=name, **how)
            if await ignoring(_GONE, deleting) is None:
                return
        await self._leaving.gone(name)

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        ids = {arn.rpartition(":")[2]: urn for urn, arn in arns.items()}
        found = await self._describe(list(ids)) if ids else []
        return {ids[each["DBInstanceIdentifier"]]: _known(each) for each in found if each.get("Endpoint", {}).get("Address")}

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn.rpartition(":")[2])

    def made(self, urn: str, answer: Answer) -> Made:
        database = answer["DBInstance"]
        known = _outputs(database) if database.get("Endpoint", {}).get("Address") else {}
        return Made(id=self._id(urn), outputs=known)

    def _id(self, urn: str) -> str:
        return self.called(urn, longest=_LONGEST).lower()

    async def _takes_over(self, waiting: Waiting) -> bool:
        """A database of a snapshot has the snapshot's password until it is told ours. Whether it was told just now."""
        inputs, name = waiting.operation.resource.inputs, waiting.made.id
        if not inputs["from_snapshot"] or waiting.operation.previous is not None or name in self._restored:
            return False
        self._restored.add(name)
        said = {"MasterUserPassword": await self._password(waiting.operation), "BackupRetentionPeriod": inputs["backup_days"]}
        await self.account.call("rds", "modify_db_instance", DBInstanceIdentifier=name, ApplyImmediately=True, **said)
        return True

    async def _password(self, operation: Operation) -> str:
        said, urn = operation.resource.inputs["password"], operation.resource.urn
        if "parameter" in said:
            answer = await self.account.call("ssm", "get_parameter", Name=said["parameter"], WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        text = await self._text(urn, said["text"])
        if not fits(text):
            raise ProviderError(
                f"{operation.resource.service}: RDS does not take this POSTGRES_PASSWORD",
                hint=f"it must be {RULE}; without one, one is made",
            )
        return text

    async def _text(self, urn: str, value: Json) -> str:
        return await filled(self.account, self.stack, names.parts(urn)[0], value)

    async def _database(self, urn: str, inputs: Mapping[str, Json]) -> dict[str, str]:
        """`postgres` is there by itself."""
        name = await self._text(urn, inputs["database"])
        return {} if name == "postgres" else {"DBName": name}

    async def _describe(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        filters = [{"Name": "db-instance-id", "Values": list(ids)}]
        pages = await self.account.pages("rds", "describe_db_instances", Filters=filters)
        return [each for page in pages for each in page["DBInstances"]]

    async def _there(self, ids: Sequence[str]) -> list[str]:
        return [each["DBInstanceIdentifier"] for each in await self._describe(ids)]

    async def _is_leaving(self, name: str) -> bool:
        return any(each["DBInstanceStatus"] == "deleting" for each in await self._describe([name]))


def _wanted(inputs: Mapping[str, Json], changed: set[str]) -> dict[str, Any]:
    """The arguments of a modification for what has changed of the inputs."""
    words = {
        "class": "DBInstanceClass", "multi_az": "MultiAZ", "groups": "VpcSecurityGroupIds", "storage": "AllocatedStorage",
        "most_storage": "MaxAllocatedStorage", "backup_days": "BackupRetentionPeriod", "parameters": "DBParameterGroupName",
        "deletion_protection": "DeletionProtection", "version": "EngineVersion",
    }  # fmt: skip
    said = {word: inputs[key] for key, word in words.items() if key in changed}
    return said | ({"AllowMajorVersionUpgrade": True} if "EngineVersion" in said else {})


def _live(database: Mapping[str, Any]) -> dict[str, Json]:
    """What others may have changed; what will be, where a change waits for the maintenance window."""
    now = {**database, **database.get("PendingModifiedValues", {})}
    return {
        "class": now.get("DBInstanceClass"),
        "multi_az": bool(now.get("MultiAZ")),
        "deletion_protection": bool(now.get("DeletionProtection")),
    }


def _known(database: Mapping[str, Any]) -> Known:
    made: dict[str, Json] = {
        "user": database["MasterUsername"],
        "database": database.get("DBName") or "postgres",
        "subnets": database["DBSubnetGroup"]["DBSubnetGroupName"],
        "port": database["Endpoint"]["Port"],
    }
    return Known(id=database["DBInstanceIdentifier"], outputs=_outputs(database), inputs=made)


def _outputs(database: Mapping[str, Any]) -> dict[str, Json]:
    address, port = database["Endpoint"]["Address"], database["Endpoint"]["Port"]
    endpoint = {"url": f"postgres://{address}:{port}", "port": port, "public": False}
    return {"address": address, "port": port, "endpoints": [endpoint]}

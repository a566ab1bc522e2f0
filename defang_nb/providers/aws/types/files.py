"""`aws:efs/…`: file systems, which named volumes are, and the access points by which tasks mount them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, DeploymentFailedError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.types.base import Together, ignoring, is_ours, once_free
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import Made, Operation, Waiting

_GONE = ("FileSystemNotFound", "MountTargetNotFound", "AccessPointNotFound")
_LONGEST = 64
_ROOT = {"Path": "/data", "CreationInfo": {"OwnerUid": 0, "OwnerGid": 0, "Permissions": "0777"}}
"""Whoever a container runs as can write, as in a new volume of Docker's; who owns a file is kept."""


class FileSystemType(TaggedType):
    """Inputs: `subnets`, `groups`. Outputs: `id`. In each of the subnets it has a mount target, which it brings along."""

    name = kinds.FILES
    resource = "elasticfilesystem:file-system"
    of_service = False
    holds_data = True

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._leaving = Together(self._there)

    async def create(self, operation: Operation) -> Made:
        urn = operation.resource.urn
        said = {"PerformanceMode": "generalPurpose", "ThroughputMode": "elastic", "Encrypted": True, "Tags": self.pairs(urn)}

        async def make() -> Answer:
            return await self.account.call("efs", "create_file_system", CreationToken=self._token(urn), **said)

        return await self.claimed(urn, ("FileSystemAlreadyExists",), make, f"file system {self._token(urn)}")

    async def update(self, operation: Operation) -> Made:
        urn, groups = operation.resource.urn, list(operation.resource.inputs["groups"])
        made = await self.find(urn) or await self.create(operation)
        for each in await self._targets(made.id):
            said = {"MountTargetId": each["MountTargetId"], "SecurityGroups": groups}
            await self.account.call("efs", "modify_mount_target_security_groups", **said)
        return made

    async def find(self, urn: str) -> Made | None:
        answer = await self.account.call("efs", "describe_file_systems", CreationToken=self._token(urn))
        for each in answer["FileSystems"]:
            if not each["LifeCycleState"].startswith("delet") and is_ours(self.tags(urn), each.get("Tags", ())):
                return self.made(urn, each)
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        live = {each["FileSystemId"] for each in await self._all() if not each["LifeCycleState"].startswith("delet")}
        return {each.urn: each.outputs if each.id in live else None for each in recorded}

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        """Ready: it can be mounted in each of the subnets."""
        live = {each["FileSystemId"]: each["LifeCycleState"] for each in await self._all()}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            urn, state = each.operation.resource.urn, live.get(each.made.id, "deleted")
            if state in ("deleted", "deleting", "error"):
                hint = "see EFS in AWS's console"
                found[urn] = DeploymentFailedError(f"the file system {each.made.id} is {state}", hint=hint)
            elif state == "available" and await self._mountable(each):
                found[urn] = each.made.outputs
        return found

    async def delete(self, recorded: Recorded) -> None:
        """With all that is in it."""
        for each in await self._targets(recorded.id):
            await ignoring(_GONE, self.account.call("efs", "delete_mount_target", MountTargetId=each["MountTargetId"]))

        async def remove() -> Answer:
            return await self.account.call("efs", "delete_file_system", FileSystemId=recorded.id)

        await once_free(remove, used=("FileSystemInUse",), gone=_GONE, what=recorded.title or "a volume")
        await self._leaving.gone(recorded.id)

    def made(self, urn: str, answer: Answer) -> Made:
        return Made(id=answer["FileSystemId"], outputs={"id": answer["FileSystemId"]})

    def by_arn(self, arn: str) -> Known:
        return _by_arn(arn)

    def _token(self, urn: str) -> str:
        return self.called(urn, longest=_LONGEST)

    async def _mountable(self, waiting: Waiting) -> bool:
        inputs = waiting.operation.resource.inputs
        there = {each["SubnetId"]: each["LifeCycleState"] for each in await self._targets(waiting.made.id)}
        for subnet in inputs["subnets"]:
            if subnet not in there:
                said = {"FileSystemId": waiting.made.id, "SubnetId": subnet, "SecurityGroups": list(inputs["groups"])}
                await ignoring(("MountTargetConflict",), self.account.call("efs", "create_mount_target", **said))
        return all(there.get(subnet) == "available" for subnet in inputs["subnets"])

    async def _targets(self, id_: str) -> list[Mapping[str, Any]]:
        answer = await ignoring(_GONE, self.account.call("efs", "describe_mount_targets", FileSystemId=id_))
        return list(answer["MountTargets"]) if answer else []

    async def _all(self) -> list[Mapping[str, Any]]:
        pages = await self.account.pages("efs", "describe_file_systems")
        return [each for page in pages for each in page["FileSystems"]]

    async def _there(self, ids: Sequence[str]) -> list[str]:
        return [each["FileSystemId"] for each in await self._all() if each["FileSystemId"] in ids]


class AccessPointType(TaggedType):
    """Inputs: `file_system`. Outputs: `id`."""

    name = kinds.ACCESS
    resource = "elasticfilesystem:access-point"
    of_service = False
    replace_on = frozenset({"file_system"})

    async def create(self, operation: Operation) -> Made:
        urn, system = operation.resource.urn, operation.resource.inputs["file_system"]
        said = {"ClientToken": operation.token[:64], "RootDirectory": _ROOT, "Tags": self.pairs(urn)}
        return self._made(await self.account.call("efs", "create_access_point", FileSystemId=system, **said))

    async def update(self, operation: Operation) -> Made:
        return await self.find(operation.resource.urn) or await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        mine = (each for each in await self._all() if is_ours(self.tags(urn), each.get("Tags", ())))
        return next((self._made(each) for each in mine), None)

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["AccessPointId"] for each in await self._all()}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        there = {each["AccessPointId"]: each["LifeCycleState"] for each in await self._all()}
        ready = [each for each in waiting if there.get(each.made.id) == "available"]
        return {each.operation.resource.urn: each.made.outputs for each in ready}

    async def delete(self, recorded: Recorded) -> None:
        await ignoring(_GONE, self.account.call("efs", "delete_access_point", AccessPointId=recorded.id))

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        ids = {arn.rpartition("/")[2]: urn for urn, arn in arns.items()}
        live = [each for each in await self._all() if each["AccessPointId"] in ids] if ids else []
        return {
            ids[each["AccessPointId"]]: Known(
                id=each["AccessPointId"], outputs={"id": each["AccessPointId"]}, inputs={"file_system": each["FileSystemId"]}
            )
            for each in live
        }

    def by_arn(self, arn: str) -> Known:
        return _by_arn(arn)

    def _made(self, answer: Mapping[str, Any]) -> Made:
        return Made(id=answer["AccessPointId"], outputs={"id": answer["AccessPointId"]})

    async def _all(self) -> list[Mapping[str, Any]]:
        pages = await self.account.pages("efs", "describe_access_points")
        found = [each for page in pages for each in page["AccessPoints"]]
        return [each for each in found if not each["LifeCycleState"].startswith("delet")]


def _by_arn(arn: str) -> Known:
    id_ = arn.rpartition("/")[2]
    return Known(id=id_, outputs={"id": id_})

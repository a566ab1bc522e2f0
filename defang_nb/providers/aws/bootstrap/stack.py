"""The bootstrap of an account and region: made when it is not there, resumed when it was interrupted, renewed when it is old.

CloudFormation keeps its state, so anybody may begin and anybody may go on. Source: AWS CloudFormation User Guide, "Stack status
codes".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.template import (
    CD_REPOSITORY,
    CD_TASK,
    REVISION,
    STACK,
    bucket_name,
    template,
)
from defang_nb.providers.aws.config import OWN
from defang_nb.providers.aws.names import MANAGED_BY, MANAGER, pairs
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.store import BucketStore
from defang_nb.providers.base import Bootstrap, Say
from defang_nb.provision.state import State

STORES = "stacks"
"""What the keys of every stack's store begin with, in the bucket."""

PACE = 2.0
"""Seconds between two looks at CloudFormation."""
_PATIENCE = 1800.0
"""Seconds after which a stack that does not come to an end is an error; most of it takes three minutes."""
_TRIES = 5
_NAMES = 10
"""Parameters that one call deletes."""
_FINE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
_BROKEN = frozenset({
    "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS",
})  # fmt: skip
"""Such a stack can't be used or updated: it is deleted, and made anew."""
_STUCK = "UPDATE_ROLLBACK_FAILED"
_WORDS = {"CREATE_COMPLETE": "made", "UPDATE_COMPLETE": "changed", "DELETE_COMPLETE": "removed", "DELETE_SKIPPED": "kept"}


def store_of(account: Account, bucket: str, stack: str) -> BucketStore:
    """A stack's own part of the bucket."""
    return BucketStore(account, bucket, f"{STORES}/{stack}")


class BootstrapStack:
    """Of one account and region. Methods raise `ProviderError`: no credentials, what was denied, what failed and why."""

    def __init__(self, account: Account, pace: float = PACE) -> None:
        self._account = account
        self._pace = pace

    async def base(self) -> Base | None:
        """What the bootstrap made; None where it has to be installed or renewed. One read."""
        found = await self._find()
        return self._base(found) if found and _is_current(found) else None

    async def status(self) -> Bootstrap:
        who, found = await self._account.identity(), await self._find()
        if found is None:
            return Bootstrap(account=who.account, region=self._account.region)
        return Bootstrap(
            account=who.account,
            region=self._account.region,
            state=found["StackStatus"],
            reason=found.get("StackStatusReason", ""),
            revision=_revision(found),
            current=_is_current(found),
            bucket=_outputs(found).get("Bucket", ""),
        )

    async def install(self, say: Say = lambda _: None) -> Base:
        """Until it is there and current. Safe to be called again, by others at the same time, and after an interruption."""
        for _ in range(_TRIES):
            found = await self._find()
            state = found["StackStatus"] if found else ""
            if found and _is_current(found):
                base = self._base(found)
                if await self._bucket_exists(base.bucket):
                    return base
                await self._make_bucket_anew(say)
                continue
            if state in _BROKEN:
                say(f"the bootstrap stack is left from an attempt that failed ({state}): it is made anew")
                await self._remove(say)
                await self._create(say)
            elif state == _STUCK:
                await self._account.call("cloudformation", "continue_update_rollback", StackName=STACK)
                await self._settle(say)
            elif state.endswith("_IN_PROGRESS") and state not in _FINE:
                say("somebody else is at the bootstrap stack: waiting")
                await self._settle(say, check=False)
            elif found is None:
                await self._create(say)
            else:
                say("bringing the account's preparation up to date")
                await self._update(say, with_bucket=await self._has_bucket())
        raise ProviderError(
            f"the bootstrap stack {STACK} does not become usable",
            hint="`defang-nb cd status` tells how it is; see its events in AWS's console",
        )

    async def teardown(self, say: Say = lambda _: None) -> str:
        """Delete the stack and its own parameters; the bucket's name, which stays.

        Raises `UsageError` while anything is deployed.
        """
        found = await self._find()
        bucket = bucket_name((await self._account.identity()).account, self._account.region)
        if found is None:
            return bucket
        if deployed := await self._deployed(bucket):
            raise UsageError(
                f"still deployed here: {', '.join(deployed)}",
                hint="take these down first: defang-nb down PROJECT --stack STACK",
            )
        await self._remove(say)
        await self._forget()
        return bucket

    async def _forget(self) -> None:
        """The keys by which stacks told configuration values apart, and those of a cd that was killed."""
        pages = await self._account.pages("ssm", "get_parameters_by_path", Path=OWN.rstrip("/"), Recursive=True)
        names = [each["Name"] for page in pages for each in page["Parameters"]]
        for start in range(0, len(names), _NAMES):
            await self._account.call("ssm", "delete_parameters", Names=names[start : start + _NAMES])

    async def _deployed(self, bucket: str) -> list[str]:
        """What is recorded to be deployed, by any stack that keeps its record here."""
        if not await self._bucket_exists(bucket):
            return []
        pages = await self._account.pages("s3", "list_objects_v2", Bucket=bucket, Prefix=f"{STORES}/", Delimiter="/")
        stacks = [each["Prefix"].split("/")[1] for page in pages for each in page.get("CommonPrefixes", ())]
        found: list[str] = []
        for stack in stacks:
            store = store_of(self._account, bucket, stack)
            projects = sorted({key.split("/")[1] for key in await store.list("projects/")})
            found += [f"{each} ({stack})" for each in projects if (await State.open(store, each)).recorded]
        return found

    async def _find(self) -> Mapping[str, Any] | None:
        try:
            answer = await self._account.call("cloudformation", "describe_stacks", StackName=STACK)
        except AwsError as error:
            if error.code == "ValidationError" and "does not exist" in error.message:
                return None
            raise
        found: Mapping[str, Any] = answer["Stacks"][0]
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    async def _create(self, say: Say) -> None:
        who = await self._account.identity()
        with_bucket = not await self._bucket_exists(bucket_name(who.account, self._account.region))
        say("preparing the account: network, cluster, roles and bucket (about three minutes, once in a region)")
        try:
            await self._account.call(
                "cloudformation", "create_stack", StackName=STACK, TemplateBody=await self._template(with_bucket),
                OnFailure="DO_NOTHING", Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
                Tags=pairs({MANAGED_BY: MANAGER}),
            )  # fmt: skip
        except AwsError as error:
            if error.code != "AlreadyExistsException":
                raise
        await self._settle(say)

    async def _make_bucket_anew(self, say: Say) -> None:
        """It was deleted by hand, which CloudFormation does not see: it forgets the old one first."""
        say("the bucket is not there any more: a new one is made")
        if await self._has_bucket():
            await self._update(say, with_bucket=False)
        await self._update(say, with_bucket=True)

    async def _update(self, say: Say, *, with_bucket: bool) -> None:
        try:
            await self._account.call(
                "cloudformation", "update_stack", StackName=STACK, TemplateBody=await self._template(with_bucket),
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            )  # fmt: skip
        except AwsError as error:
            if "No updates are to be performed" in error.message:
                return
            raise
        await self._settle(say)

    async def _remove(self, say: Say) -> None:
        with contextlib.suppress(AwsError):  # there is no repository, of an attempt that failed early
            pages = await self._account.pages("ecr", "list_images", repositoryName=CD_REPOSITORY)
            if images := [each for page in pages for each in page["imageIds"]]:
                await self._account.call("ecr", "batch_delete_image", repositoryName=CD_REPOSITORY, imageIds=images[:100])
        await self._account.call("cloudformation", "delete_stack", StackName=STACK)
        await self._settle(say, "removed")

    async def _template(self, with_bucket: bool) -> str:
        """Of a stack that makes its bucket itself, or takes a former one over."""
        who = await self._account.identity()
        made = template(who.account, self._account.region, partition=who.arn.split(":")[1], with_bucket=with_bucket)
        return json.dumps(made, separators=(",", ":"))

    async def _has_bucket(self) -> bool:
        """Whether the stack made its bucket itself."""
        answer = await self._account.call("cloudformation", "describe_stack_resources", StackName=STACK)
        return any(each["LogicalResourceId"] == "Bucket" for each in answer["StackResources"])

    async def _bucket_exists(self, name: str) -> bool:
        try:
            await self._account.call("s3", "head_bucket", Bucket=name)
        except AwsError as error:
            if error.code in ("404", "NoSuchBucket", "NotFound"):
                return False
            if error.code in ("403", "AccessDenied", "Forbidden"):
                raise ProviderError(f"the bucket {name} is somebody else's, or may not be read: {error.message}") from None
            raise
        return True

    async def _settle(self, say: Say, what: str = "made", *, check: bool = True) -> None:
        """Until nothing is in progress any more, telling each resource. Raises `ProviderError` for what failed, and why."""
        began, told = time.monotonic(), set()
        since = None
        while True:
            found = await self._find()
            events = await self._events()
            first = next((each for each in events if _is_begin(each)), None)
            since = since or (first["EventId"] if first else None)
            fresh = _after(events, since)
            for each in reversed(fresh):
                if each["EventId"] not in told and each["LogicalResourceId"] != STACK and each.get("ResourceStatus") in _WORDS:
                    say(f"{each['LogicalResourceId']} {_WORDS[each['ResourceStatus']]} ({each.get('ResourceType', '')})")
                told.add(each["EventId"])
            state = found["StackStatus"] if found else ""
            if not state.endswith("_IN_PROGRESS") or state in _FINE:
                break
            if time.monotonic() - began > _PATIENCE:
                raise ProviderError(f"the bootstrap stack is still {state} after {_PATIENCE / 60:g} minutes")
            await asyncio.sleep(self._pace)
        if check and state and state not in _FINE:
            why = _why(fresh) or (found or {}).get("StackStatusReason", state)
            raise ProviderError(
                f"the account's preparation could not be {what}: {why}",
                hint="once that is mended, run it again: it goes on by itself",
            )

    async def _events(self) -> list[Mapping[str, Any]]:
        """The newest first."""
        try:
            answer = await self._account.call("cloudformation", "describe_stack_events", StackName=STACK)
        except AwsError as error:
            if error.code == "ValidationError":
                return []
            raise
        return list(answer["StackEvents"])

    def _base(self, found: Mapping[str, Any]) -> Base:
        said = _outputs(found)
        return Base(
            account=found["StackId"].split(":")[4],
            region=self._account.region,
            bucket=said["Bucket"],
            cluster=said["Cluster"],
            vpc=said["Vpc"],
            subnets=tuple(said["Subnets"].split(",")),
            services_group=said["ServicesGroup"],
            public_group=said["PublicGroup"],
            cd_group=said["CdGroup"],
            log_group=said["LogGroup"],
            execution_role=said["ExecutionRole"],
            cd_role=said["CdRole"],
            kaniko_role=said["KanikoRole"],
            cd_image_role=said["CdImageRole"],
            boundary=said["Boundary"],
            cd_task=CD_TASK,
            cd_repository=f"{found['StackId'].split(':')[4]}.dkr.ecr.{self._account.region}.amazonaws.com/{said['CdRepository']}",
            revision=int(said["Revision"]),
        )


def _outputs(found: Mapping[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())}


def _revision(found: Mapping[str, Any]) -> int:
    text = _outputs(found).get("Revision", "0")
    return int(text) if text.isdigit() else 0


def _is_current(found: Mapping[str, Any]) -> bool:
    return found["StackStatus"] in _FINE and _revision(found) >= REVISION


def _is_begin(event: Mapping[str, Any]) -> bool:
    return event["LogicalResourceId"] == STACK and event.get("ResourceStatus") in (
        "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS",
    )  # fmt: skip


def _after(events: list[Mapping[str, Any]], since: str | None) -> list[Mapping[str, Any]]:
    """Of the newest attempt only."""
    found = []
    for each in events:
        found.append(each)
        if each["EventId"] == since:
            break
    return found


def _why(events: list[Mapping[str, Any]]) -> str:
    """The first that failed, and AWS's reason: those after it were only cancelled."""
    for each in reversed(events):
        if each.get("ResourceStatus", "").endswith("_FAILED") and "cancelled" not in each.get("ResourceStatusReason", ""):
            return f"{each['LogicalResourceId']} ({each.get('ResourceType', '')}): {each.get('ResourceStatusReason', '')}"
    return ""

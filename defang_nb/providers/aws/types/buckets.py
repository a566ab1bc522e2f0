"""`aws:s3/Bucket` and `aws:s3/BucketPolicy`: where a site's files are, which nobody reads but its distribution."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.again import again
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.types.base import AwsType, ignoring, once_free
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation, TransientError

GONE = ("NoSuchBucket", "404", "NotFound")
_OURS, _THEIRS = "BucketAlreadyOwnedByYou", "BucketAlreadyExists"
_BUSY = "OperationAborted"
_AT_ONCE = 1000
"""Objects that one call deletes."""
_DEFAULT_REGION = "us-east-1"
_ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
_PRIVATE = {"BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}


class BucketType(TaggedType):
    """No inputs. Outputs: `name`, `host` (by which CloudFront reads it). It goes with all that is in it, which is a copy."""

    name = kinds.BUCKET
    idempotent = True
    resource = "s3:"

    async def create(self, operation: Operation) -> Made:
        """Each part of it may be done again; the name is of this account, so one that is ours already is this one."""
        urn = operation.resource.urn
        name = self._name(urn)
        place = {} if self.base.region == _DEFAULT_REGION else {"LocationConstraint": self.base.region}
        try:
            await self.account.call(
                "s3", "create_bucket", Bucket=name, **({"CreateBucketConfiguration": place} if place else {})
            )
        except AwsError as error:
            if error.code == _BUSY:
                raise TransientError(error.message, after=5.0, refused=True) from None
            if error.code == _THEIRS:
                message = f"there is a bucket {name} already that is another account's"
                raise ProviderError(message, hint="deploy to a stack of another name") from None
            if error.code != _OURS:
                raise
        await self.account.call("s3", "put_public_access_block", Bucket=name, PublicAccessBlockConfiguration=_PRIVATE)
        await self.account.call("s3", "put_bucket_encryption", Bucket=name, ServerSideEncryptionConfiguration=_ENCRYPTED)
        await self.account.call("s3", "put_bucket_tagging", Bucket=name, Tagging={"TagSet": self.pairs(urn)})
        return self._made(name)

    async def update(self, operation: Operation) -> Made:
        """Nothing of it changes; what an interrupted create lacks is made up for."""
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        name = self._name(urn)
        return self._made(name) if name in await self._there() else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = await self._there()
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        async def remove() -> Any:
            await emptied(self.account, recorded.id)
            return await self.account.call("s3", "delete_bucket", Bucket=recorded.id)

        await once_free(remove, used=("BucketNotEmpty", _BUSY), gone=GONE, what=f"the bucket {recorded.id}")

    def by_arn(self, arn: str) -> Known:
        made = self._made(arn.rpartition(":")[2])
        return Known(id=made.id, outputs=made.outputs)

    def _name(self, urn: str) -> str:
        return names.bucket(self.base.account, self.base.region, self.stack, urn)

    def _made(self, name: str) -> Made:
        return Made(id=name, outputs={"name": name, "host": f"{name}.s3.{self.base.region}.amazonaws.com"})

    async def _there(self) -> set[str]:
        prefix = names.bucket_prefix(self.base.account, self.base.region)
        pages = await self.account.pages("s3", "list_buckets", Prefix=prefix)
        return {each["Name"] for page in pages for each in page.get("Buckets", ())}


class BucketPolicyType(AwsType):
    """Inputs: `bucket`, `reader` (a distribution's ARN). Nobody else reads it, and nobody at all without TLS."""

    name = kinds.BUCKET_POLICY
    idempotent = True

    async def create(self, operation: Operation) -> Made:
        inputs = operation.resource.inputs
        document = json.dumps({"Version": "2012-10-17", "Statement": list(_statements(inputs["bucket"], inputs["reader"]))})
        await self.account.call("s3", "put_bucket_policy", Bucket=inputs["bucket"], Policy=document)
        return Made(id=inputs["bucket"])

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        """The bucket is called after the same service."""
        name = names.bucket(self.base.account, self.base.region, self.stack, urn.replace(self.name, kinds.BUCKET))
        return Made(id=name) if await self._reader(name) is not None else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        readers = {each.urn: await self._reader(each.id) for each in recorded}
        return {
            each.urn: None if (reader := readers[each.urn]) is None else {**each.outputs, LIVE_INPUTS: {"reader": reader}}
            for each in recorded
        }

    async def delete(self, recorded: Recorded) -> None:
        await ignoring(GONE, self.account.call("s3", "delete_bucket_policy", Bucket=recorded.id))

    async def _reader(self, bucket: str) -> str | None:
        """Who may read it; "" for a policy that is not as ours, None for no policy."""
        asked = self.account.call("s3", "get_bucket_policy", Bucket=bucket)
        answer = await ignoring((*GONE, "NoSuchBucketPolicy"), asked)
        if answer is None:
            return None
        found: list[Mapping[str, Any]] = json.loads(answer["Policy"])["Statement"]
        reader = next((str(value) for each in found for value in _readers(each)), "")
        return reader if found == list(_statements(bucket, reader)) else ""


def _statements(bucket: str, reader: str) -> Iterator[dict[str, Any]]:
    where = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    yield {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": where,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    # Who may list is told that something is not there, and not that it may not be read.
    yield {
        "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": where, "Condition": {"StringEquals": {"AWS:SourceArn": reader}},
    }  # fmt: skip


def _readers(statement: Mapping[str, Any]) -> list[str]:
    equal: Mapping[str, str] = statement.get("Condition", {}).get("StringEquals", {})
    return [value for key, value in equal.items() if key.lower() == "aws:sourcearn"]


async def emptied(account: Account, bucket: str) -> None:
    """Delete all that is in it, older versions too, where somebody had them kept."""
    pages = await account.pages("s3", "list_object_versions", Bucket=bucket)
    found = [
        {"Key": each["Key"], "VersionId": each["VersionId"]}
        for page in pages
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]
    await removed(account, bucket, found)


async def removed(account: Account, bucket: str, objects: Sequence[Mapping[str, str]]) -> None:
    """Delete these. Raises `ProviderError` for what S3 does not delete."""
    for start in range(0, len(objects), _AT_ONCE):
        some = [dict(each) for each in objects[start : start + _AT_ONCE]]

        async def remove(some: list[dict[str, str]] = some) -> Any:
            return await account.call("s3", "delete_objects", Bucket=bucket, Delete={"Objects": some, "Quiet": True})

        answer = await again(remove)
        if errors := answer.get("Errors"):
            raise ProviderError(f"S3 does not delete {errors[0]['Key']} of {bucket}: {errors[0].get('Message', '')}")

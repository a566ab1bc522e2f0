"""`aws:s3/Site`: the files of a site in its bucket, as they are in the folder that was packed. What differs is put, or removed.

What is there is told by the bucket itself, so nothing is put twice, whoever was killed; and the edge is told in one call to
forget what has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from defang_nb.build.archive import unpack
from defang_nb.errors import DefangError, NotFoundError, ProviderError
from defang_nb.model.events import LogLine
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.again import again
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.stack import store_of
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.sites.objects import Object, objects, paths
from defang_nb.providers.aws.sites.pulled import pulled
from defang_nb.providers.aws.types.base import AwsType, ignoring
from defang_nb.providers.aws.types.buckets import GONE, emptied, removed
from defang_nb.providers.aws.types.distributions import DEPLOYED, distributions
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation, TransientError, Waiting

_AT_ONCE = 8
"""Objects that are put at a time."""
_NAMED = 30
"""So many paths are named to the edge; it is told to forget all where more have changed. A thousand a month cost nothing."""
_ALL = "/*"
_CHANGED = "changed from outside"


class SiteType(AwsType):
    """Inputs: `bucket`, `distribution` (id), `key` and `digest` (of the archive in the store), `moved`, `root`, `fallback`,
    `rules`, `endpoints`; `image` and `folder` in place of `key`, where a build has made them.

    Outputs: `listing` (a digest of what is there), `endpoints`, `detail`, `invalidation` (id).
    """

    name = kinds.SITE
    idempotent = True

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._touched: dict[str, set[str]] = {}

    async def create(self, operation: Operation) -> Made:
        return await self._put(operation)

    async def update(self, operation: Operation) -> Made:
        return await self._put(operation)

    async def find(self, urn: str) -> Made | None:
        """The bucket is called after the same service."""
        name = names.bucket(self.base.account, self.base.region, self.stack, urn.replace(self.name, kinds.BUCKET))
        live = await self._live(name)
        return Made(id=name, outputs={"listing": _listing(live)}) if live else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found: dict[str, Mapping[str, Json] | None] = {}
        for each in recorded:
            live = await self._live(each.id)
            same = live is not None and _listing(live) == each.outputs.get("listing")
            digest = each.inputs.get("digest") if same else _CHANGED
            found[each.urn] = None if not live else {**each.outputs, LIVE_INPUTS: {"digest": digest}}
        return found

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        """It is there once the edge has its distribution, and has forgotten what was there before."""
        live = {each["Id"]: each["Status"] for each in await distributions(self.account)}
        return {
            each.operation.resource.urn: each.made.outputs
            for each in waiting
            if live.get(each.operation.resource.inputs["distribution"]) == DEPLOYED and await self._forgotten(each)
        }

    async def delete(self, recorded: Recorded) -> None:
        async def remove() -> dict[str, Any]:
            await emptied(self.account, recorded.id)
            return {}

        await ignoring(GONE, remove())

    async def _put(self, operation: Operation) -> Made:
        inputs, previous = operation.resource.inputs, operation.previous
        bucket: str = inputs["bucket"]
        live = await self._live(bucket)
        if live is None:
            raise ProviderError(f"the bucket {bucket} is not there", hint="`up` again makes it anew")
        touched = self._touched.setdefault(operation.token, set())
        anew = previous is not None and previous.inputs.get("rules", inputs["rules"]) != inputs["rules"]
        with tempfile.TemporaryDirectory(prefix="defang-nb-site-") as scratch:
            wanted = await self._wanted(inputs, Path(scratch))
            changed = [key for key, it in wanted.items() if anew or live.get(key) != it.etag]
            gone = sorted(live.keys() - wanted.keys())
            touched |= {key for key in (*changed, *gone) if live}
            for some in ([key for key in changed if not wanted[key].last], [key for key in changed if wanted[key].last]):
                await self._put_all(bucket, {key: wanted[key] for key in some})
            await removed(self.account, bucket, [{"Key": key} for key in gone])
        told = f"{len(changed)} of {len(wanted)} objects put, {len(gone)} removed"
        operation.emit(LogLine(service=operation.resource.service, line=told))
        outputs: dict[str, Json] = {
            "listing": _listing({key: it.etag for key, it in wanted.items()}),
            "endpoints": inputs["endpoints"],
            "detail": f"{len(wanted)} objects",
        }
        # What an attempt that was interrupted has put is not known.
        unsure = previous is not None and not previous.ready
        if touched or unsure:
            outputs["invalidation"] = await self._forget(operation, sorted(touched), everything=unsure)
        return Made(id=bucket, outputs=outputs)

    async def _wanted(self, inputs: Mapping[str, Json], scratch: Path) -> dict[str, Object]:
        if inputs.get("image"):
            await pulled(self.account, inputs["image"], inputs["folder"], scratch / "files")
            return await asyncio.to_thread(objects, scratch / "files", inputs["moved"])
        store, archive = store_of(self.account, self.base.bucket, self.stack), scratch / "archive"
        try:
            await store.download(inputs["key"], archive)
        except NotFoundError:
            message = "the files of this site are not kept in the stack's store any more"
            raise NotFoundError(message, hint="`up` from their folder uploads them anew") from None

        def read() -> dict[str, Object]:
            unpack(archive, scratch / "files")
            return objects(scratch / "files", inputs["moved"])

        return await asyncio.to_thread(read)

    async def _put_all(self, bucket: str, wanted: Mapping[str, Object]) -> None:
        free = asyncio.Semaphore(_AT_ONCE)

        async def put(key: str, it: Object) -> None:
            async with free:
                await again(lambda: self.account.asked("s3", "put_object", lambda client: _send(client, bucket, key, it)))

        results = await asyncio.gather(*(put(key, it) for key, it in wanted.items()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _forget(self, operation: Operation, keys: Sequence[str], *, everything: bool) -> str:
        """Have the edge forget these; the id of the request for it. The same one, if it is asked again."""
        inputs = operation.resource.inputs
        found = sorted({path for key in keys for path in _asked_for(key, inputs)})
        if everything or len(found) > _NAMED or inputs["fallback"].lstrip("/") in keys:
            found = [_ALL]
        batch = {"Paths": {"Quantity": len(found), "Items": found}, "CallerReference": operation.token}
        asking = self.account.call(
            "cloudfront", "create_invalidation", DistributionId=inputs["distribution"], InvalidationBatch=batch
        )
        try:
            answer = await asking
        except AwsError as error:
            if error.code == "TooManyInvalidationsInProgress":
                raise TransientError(error.message, after=10.0, refused=True) from None
            raise
        return str(answer["Invalidation"]["Id"])

    async def _forgotten(self, waiting: Waiting) -> bool:
        if not (id_ := waiting.made.outputs.get("invalidation")):
            return True
        distribution = waiting.operation.resource.inputs["distribution"]
        asked = self.account.call("cloudfront", "get_invalidation", DistributionId=distribution, Id=id_)
        answer = await ignoring(("NoSuchInvalidation",), asked)
        return answer is None or str(answer["Invalidation"]["Status"]).lower() == "completed"

    async def _live(self, bucket: str) -> dict[str, str] | None:
        """Key → ETag of all that is in a bucket; None where there is none."""
        listing = _pages(self.account, bucket)
        answer = await ignoring(GONE, listing)
        return None if answer is None else {each["Key"]: each["ETag"].strip('"') for each in answer["Contents"]}


async def _pages(account: Account, bucket: str) -> dict[str, Any]:
    pages = await account.pages("s3", "list_objects_v2", Bucket=bucket)
    return {"Contents": [each for page in pages for each in page.get("Contents", ())]}


def _listing(live: Mapping[str, str] | None) -> str:
    told = "\n".join(f"{key}\0{etag}" for key, etag in sorted((live or {}).items()))
    return hashlib.sha256(told.encode()).hexdigest()


def _asked_for(key: str, inputs: Mapping[str, Json]) -> list[str]:
    """By which paths the edge may remember an object: the root's has two."""
    return [paths(key), *(["/"] if key == inputs["root"] else [])]


def _send(client: Any, bucket: str, key: str, it: Object) -> None:
    said: dict[str, Any] = {"Bucket": bucket, "Key": key, "ContentType": it.type, "CacheControl": it.cache}
    if it.location:
        client.put_object(**said, Body=it.body, Metadata={"location": it.location, "status": str(it.status)})
        return
    with Path(it.path).open("rb") as file:
        client.put_object(**said, Body=file)

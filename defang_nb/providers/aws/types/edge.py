"""`aws:cloudfront/OriginAccess` and `aws:cloudfront/Function`: what the distributions of a project share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.sites import code
from defang_nb.providers.aws.types.base import AwsType, ignoring, once_free
from defang_nb.provision.ports import Live, Made, Operation

EDGE_REGION = "us-east-1"
"""Where AWS keeps what is everywhere: CloudFront's certificates and tags."""
_LONGEST = 64
_COMMENT = 128
STALE = ("InvalidIfMatchVersion", "PreconditionFailed")
"""Somebody has changed it since it was looked at."""


class _Shared(AwsType):
    """Known by its name, and by the words in it, as there may be no tags."""

    @property
    def _mark(self) -> str:
        return f"{names.MANAGER} {self.stack} "

    def _name(self, urn: str) -> str:
        """With the region in it: CloudFront knows none."""
        return names.physical(self.called(urn), self.base.region, longest=_LONGEST)

    def _words(self, urn: str) -> str:
        return f"{self._mark}{self.base.region} {urn}"

    def _told(self, words: str) -> str:
        """The urn; "" for what is not of this stack."""
        front = f"{self._mark}{self.base.region} "
        urn = words.removeprefix(front)
        return urn if urn != words and "/".join(urn.split("/")[1:3]) == self.name else ""


class OriginAccessType(_Shared):
    """No inputs. Outputs: `id`. By it CloudFront signs what it asks of buckets."""

    name = kinds.ORIGIN
    idempotent = True

    async def create(self, operation: Operation) -> Made:
        urn = operation.resource.urn
        said = {
            "Name": self._name(urn), "Description": self._words(urn), "SigningProtocol": "sigv4", "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }  # fmt: skip

        async def make() -> Answer:
            return await self.account.call("cloudfront", "create_origin_access_control", OriginAccessControlConfig=said)

        return await self.claimed(urn, ("OriginAccessControlAlreadyExists",), make, f"origin access control {said['Name']}")

    async def update(self, operation: Operation) -> Made:
        previous = operation.previous
        return Made(id=previous.id, outputs=previous.outputs) if previous else await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        found = [each for each in await self._all() if self._told(each.get("Description", "")) == urn]
        return _access(found[0]) if found else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["Id"] for each in await self._all()}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def owned(self, project: str = "") -> Sequence[Live]:
        told = [(self._told(each.get("Description", "")), _access(each)) for each in await self._all()]
        return [
            Live(urn=urn, type=self.name, id=made.id, title=TITLES[self.name], inputs={}, outputs=made.outputs)
            for urn, made in told
            if urn and project in ("", names.parts(urn)[0])
        ]

    async def delete(self, recorded: Recorded) -> None:
        async def remove() -> Answer:
            seen = await self.account.call("cloudfront", "get_origin_access_control", Id=recorded.id)
            return await self.account.call("cloudfront", "delete_origin_access_control", Id=recorded.id, IfMatch=seen["ETag"])

        used = ("OriginAccessControlInUse", *STALE)
        await once_free(remove, used=used, gone=("NoSuchOriginAccessControl",), what="the origin access control")

    def made(self, urn: str, answer: Answer) -> Made:
        return _access(answer["OriginAccessControl"])

    async def _all(self) -> list[Mapping[str, Any]]:
        pages = await self.account.pages("cloudfront", "list_origin_access_controls")
        return [each for page in pages for each in page["OriginAccessControlList"].get("Items", ())]


class FunctionType(_Shared):
    """Inputs: `code` (the name of one of our own), `version`. Outputs: `arn`. What was published last of it is live."""

    name = kinds.EDGE_FUNCTION
    idempotent = True

    async def create(self, operation: Operation) -> Made:
        urn, name = operation.resource.urn, self._name(operation.resource.urn)
        said = self._said(operation)

        async def make() -> Answer:
            return await self.account.call("cloudfront", "create_function", Name=name, **said)

        made = await self.claimed(urn, ("FunctionAlreadyExists",), make, f"function {name}")
        await self._publish(name)
        return made

    async def update(self, operation: Operation) -> Made:
        name = self._name(operation.resource.urn)
        seen = await ignoring(("NoSuchFunctionExists",), self.account.call("cloudfront", "describe_function", Name=name))
        if seen is None:
            return await self.create(operation)
        await self.account.call("cloudfront", "update_function", Name=name, IfMatch=seen["ETag"], **self._said(operation))
        await self._publish(name)
        return _function(seen["FunctionSummary"])

    async def find(self, urn: str) -> Made | None:
        asked = self.account.call("cloudfront", "describe_function", Name=self._name(urn))
        answer = await ignoring(("NoSuchFunctionExists",), asked)
        ours = answer is not None and answer["FunctionSummary"]["FunctionConfig"]["Comment"].startswith(self._mark)
        return self.made(urn, answer) if answer and ours else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["Name"]: each for each in await self._all()}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def owned(self, project: str = "") -> Sequence[Live]:
        told = [(self._told(each["FunctionConfig"].get("Comment", "")), _function(each)) for each in await self._all()]
        return [
            Live(urn=urn, type=self.name, id=made.id, title=TITLES[self.name], outputs=made.outputs)
            for urn, made in told
            if urn and project in ("", names.parts(urn)[0])
        ]

    async def delete(self, recorded: Recorded) -> None:
        async def remove() -> Answer:
            seen = await self.account.call("cloudfront", "describe_function", Name=recorded.id)
            return await self.account.call("cloudfront", "delete_function", Name=recorded.id, IfMatch=seen["ETag"])

        used = ("FunctionInUse", *STALE)
        await once_free(remove, used=used, gone=("NoSuchFunctionExists",), what=f"the function {recorded.id}")

    def made(self, urn: str, answer: Answer) -> Made:
        return _function(answer["FunctionSummary"])

    def _said(self, operation: Operation) -> dict[str, Any]:
        config = {"Comment": self._words(operation.resource.urn)[:_COMMENT], "Runtime": "cloudfront-js-2.0"}
        return {"FunctionConfig": config, "FunctionCode": code(operation.resource.inputs["code"])}

    async def _publish(self, name: str) -> None:
        seen = await self.account.call("cloudfront", "describe_function", Name=name)
        await self.account.call("cloudfront", "publish_function", Name=name, IfMatch=seen["ETag"])

    async def _all(self) -> list[Mapping[str, Any]]:
        """boto3 does not know how to page these."""
        found: list[Mapping[str, Any]] = []
        more = {"Stage": "DEVELOPMENT"}
        while True:
            listed = (await self.account.call("cloudfront", "list_functions", **more))["FunctionList"]
            found += listed.get("Items", ())
            if not listed.get("NextMarker"):
                return found
            more["Marker"] = listed["NextMarker"]


TITLES = {kinds.ORIGIN: "access of the edge to files", kinds.EDGE_FUNCTION: "redirects of static files"}


def _access(live: Mapping[str, Any]) -> Made:
    return Made(id=live["Id"], outputs={"id": live["Id"]})


def _function(live: Mapping[str, Any]) -> Made:
    return Made(id=live["Name"], outputs={"arn": live["FunctionMetadata"]["FunctionARN"]})

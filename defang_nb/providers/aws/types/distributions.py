"""`aws:cloudfront/Distribution`: a site at the edge. It takes minutes to be everywhere, and again to be nowhere.

Source: Amazon CloudFront API Reference, "DistributionConfig" and "DeleteDistribution": it is disabled first, and deleted once
that is so everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.events import LogLine
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.types.base import Together, is_ours, once_free
from defang_nb.providers.aws.types.edge import EDGE_REGION, STALE
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import LIVE_INPUTS, Made, Operation, TransientError, Waiting

GONE = ("NoSuchDistribution",)
DEPLOYED = "Deployed"
ORIGIN = "files"
_CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
"""CloudFront's own policy `CachingOptimized`: as long as the object says, compressed as the browser likes it."""
_TLS = "TLSv1.2_2021"
_COMMENT = 128
_READ = {"Quantity": 2, "Items": ["GET", "HEAD"]}


class DistributionType(TaggedType):
    """Inputs: `origin` (a bucket's host), `access` (id), `function` (ARN), `root`, `fallback` (path, or ""), `hosts`,
    `certificate` (ARN, or ""), `price_class`, `enabled`. Outputs: `id`, `arn`, `host`.
    """

    name = kinds.DISTRIBUTION
    resource = "cloudfront:distribution"
    region = EDGE_REGION
    lag = 5.0

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._stopping = Together(self._under_way)

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        said = {**configuration(inputs), "CallerReference": operation.token, "Comment": self._comment(urn)}
        config = {"DistributionConfig": said, "Tags": {"Items": self.pairs(urn)}}

        async def make() -> Answer:
            return await self.account.call("cloudfront", "create_distribution_with_tags", DistributionConfigWithTags=config)

        line = "CloudFront takes some minutes until all its places know a new site"
        operation.emit(LogLine(service=operation.resource.service, line=line))
        try:
            return await self.claimed(urn, ("DistributionAlreadyExists",), make, "distribution")
        except AwsError as error:
            raise _explained(error, inputs) from None

    async def update(self, operation: Operation) -> Made:
        """What others set of it beside ours (a firewall, say) is kept."""
        inputs, previous = operation.resource.inputs, operation.previous
        if previous is None:
            return await self.create(operation)
        seen = await self.account.call("cloudfront", "get_distribution_config", Id=previous.id)
        said = _over(seen["DistributionConfig"], configuration(inputs))
        changing = self.account.call(
            "cloudfront", "update_distribution", Id=previous.id, IfMatch=seen["ETag"], DistributionConfig=said
        )
        try:
            return self.made(operation.resource.urn, await changing)
        except AwsError as error:
            raise _explained(error, inputs) from None

    async def find(self, urn: str) -> Made | None:
        for each in await distributions(self.account):
            if each["Comment"] == self._comment(urn):
                tags = await self.account.call("cloudfront", "list_tags_for_resource", Resource=each["ARN"])
                if is_ours(self.tags(urn), tags["Tags"]["Items"]):
                    return _made(each)
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        live = {each["Id"]: each for each in await distributions(self.account)}
        return {each.urn: {**each.outputs, LIVE_INPUTS: _live(live[each.id])} if each.id in live else None for each in recorded}

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        live = {each["Id"]: each for each in await distributions(self.account)}
        return {
            each.operation.resource.urn: _made(live[each.made.id]).outputs
            for each in waiting
            if each.made.id in live and live[each.made.id]["Status"] == DEPLOYED
        }

    async def delete(self, recorded: Recorded) -> None:
        """Each part is done only where it is not done yet: whoever was killed in between, the next one goes on."""

        async def remove() -> Answer:
            seen = await self.account.call("cloudfront", "get_distribution_config", Id=recorded.id)
            tag = seen["ETag"]
            if seen["DistributionConfig"]["Enabled"]:
                said = {**seen["DistributionConfig"], "Enabled": False}
                answer = await self.account.call(
                    "cloudfront", "update_distribution", Id=recorded.id, IfMatch=tag, DistributionConfig=said
                )
                tag = answer["ETag"]
            await self._stopping.gone(recorded.id)
            return await self.account.call("cloudfront", "delete_distribution", Id=recorded.id, IfMatch=tag)

        await once_free(remove, used=("DistributionNotDisabled", *STALE), gone=GONE, what=recorded.title or "a distribution")

    def made(self, urn: str, answer: Answer) -> Made:
        return _made(answer["Distribution"])

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        """One that is being deleted is nobody's to take over, unless it is enabled again: which an update does."""
        live = {each["ARN"]: each for each in await distributions(self.account)} if arns else {}
        return {urn: _known(live[arn]) for urn, arn in arns.items() if arn in live}

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn.rpartition("/")[2])

    def _comment(self, urn: str) -> str:
        return f"{self.called(urn)} {self.base.region}"[:_COMMENT]

    async def _under_way(self, ids: Sequence[str]) -> Collection[str]:
        """Those of which not all the world knows yet what was asked for last."""
        return [each["Id"] for each in await distributions(self.account) if each["Id"] in ids and each["Status"] != DEPLOYED]


async def distributions(account: Account) -> list[Mapping[str, Any]]:
    """All of the account."""
    pages = await account.pages("cloudfront", "list_distributions")
    return [each for page in pages for each in page["DistributionList"].get("Items", ())]


def configuration(inputs: Mapping[str, Json]) -> dict[str, Any]:
    """All of a `DistributionConfig` that is ours to say."""
    hosts, fallback = list(inputs["hosts"]), inputs["fallback"]
    origin = {
        "Id": ORIGIN, "DomainName": inputs["origin"], "OriginPath": "", "CustomHeaders": {"Quantity": 0},
        "S3OriginConfig": {"OriginAccessIdentity": ""}, "OriginAccessControlId": inputs["access"],
    }  # fmt: skip
    function = {"FunctionARN": inputs["function"], "EventType": "viewer-response"}
    errors = [
        {"ErrorCode": code, "ResponsePagePath": fallback, "ResponseCode": "200", "ErrorCachingMinTTL": 10}
        for code in (403, 404)
    ]
    certificate: dict[str, Any] = {"CloudFrontDefaultCertificate": True}
    if inputs["certificate"]:
        certificate = {
            "ACMCertificateArn": inputs["certificate"], "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": _TLS,
        }  # fmt: skip
    return {
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultRootObject": inputs["root"],
        "DefaultCacheBehavior": {
            "TargetOriginId": ORIGIN, "ViewerProtocolPolicy": "redirect-to-https", "Compress": True, "CachePolicyId": _CACHED,
            "AllowedMethods": {**_READ, "CachedMethods": _READ}, "FunctionAssociations": {"Quantity": 1, "Items": [function]},
        },
        "CustomErrorResponses": {"Quantity": len(errors), "Items": errors} if fallback else {"Quantity": 0},
        "Aliases": {"Quantity": len(hosts), **({"Items": hosts} if hosts else {})},
        "ViewerCertificate": certificate,
        "PriceClass": inputs["price_class"],
        "HttpVersion": "http2and3",
        "IsIPV6Enabled": True,
        "Enabled": inputs["enabled"],
    }  # fmt: skip


def _over(live: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Ours over what is there: an update has to say all of what a distribution has (API Reference, "UpdateDistribution")."""
    behavior = {**live["DefaultCacheBehavior"], **ours["DefaultCacheBehavior"]}
    known = {each["Id"]: each for each in live["Origins"]["Items"]}
    origins = [{**known.get(each["Id"], {}), **each} for each in ours["Origins"]["Items"]]
    origin = {"Quantity": len(origins), "Items": origins}
    return {**live, **ours, "DefaultCacheBehavior": behavior, "Origins": origin}


def _live(live: Mapping[str, Any]) -> dict[str, Json]:
    """Of the inputs, what a listing tells."""
    errors = live.get("CustomErrorResponses", {}).get("Items") or ()
    return {
        "origin": next((each["DomainName"] for each in live["Origins"]["Items"]), ""),
        "fallback": next((each.get("ResponsePagePath", "") for each in errors), ""),
        "hosts": list(live["Aliases"].get("Items") or ()),
        "certificate": live["ViewerCertificate"].get("ACMCertificateArn", ""),
        "price_class": live["PriceClass"],
        "enabled": live["Enabled"],
    }


def _known(live: Mapping[str, Any]) -> Known:
    made = _made(live)
    return Known(id=made.id, outputs=made.outputs, inputs=_live(live))


def _made(live: Mapping[str, Any]) -> Made:
    return Made(id=live["Id"], outputs={"id": live["Id"], "arn": live["ARN"], "host": live["DomainName"]})


def _explained(error: AwsError, inputs: Mapping[str, Json]) -> DefangError:
    if error.code in STALE:
        return TransientError(error.message, refused=True)
    if error.code == "CNAMEAlreadyExists":
        return ProviderError(
            f"another distribution of CloudFront answers for {', '.join(inputs['hosts'])} already",
            hint="take the name from that one (it may be another account's), or give another `domainname`",
        )
    return error

"""`aws:acm/Certificate`: of one domain name, validated by a record in its zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, DeploymentFailedError
from defang_nb.model.events import LogLine
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.types.base import ignoring, is_ours, once_free
from defang_nb.providers.aws.types.edge import EDGE_REGION
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.providers.aws.types.zones import change, name_servers, zone_of
from defang_nb.provision.ports import Made, Operation, Waiting

PATIENCE = 1200.0
"""Seconds that AWS is given to see the record of a certificate: it takes some minutes, and longer where a zone is new."""
_GONE = ("ResourceNotFoundException",)
_NEVER = ("FAILED", "VALIDATION_TIMED_OUT", "REVOKED", "EXPIRED", "INACTIVE")


class CertificateType(TaggedType):
    """Inputs: `host`, `target` (the name in DNS that it will lead to, where that is known). Outputs: `arn`, once issued."""

    name = kinds.CERTIFICATE
    resource = "acm:certificate"
    of_service = False
    replace_on = frozenset({"host"})

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._recorded: set[str] = set()

    async def create(self, operation: Operation) -> Made:
        urn, host = operation.resource.urn, operation.resource.inputs["host"]
        said = {"ValidationMethod": "DNS", "IdempotencyToken": operation.token.replace("-", "")[:32], "Tags": self.pairs(urn)}
        answer = await self.account.call("acm", "request_certificate", DomainName=host, **said)
        return Made(id=answer["CertificateArn"])

    async def update(self, operation: Operation) -> Made:
        previous = operation.previous
        return Made(id=previous.id, outputs=previous.outputs) if previous else await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        host = names.parts(urn)[1]
        for each in await self._all():
            if each["DomainName"] == host and each.get("Status") not in _NEVER:
                tags = await self.account.call("acm", "list_tags_for_certificate", CertificateArn=each["CertificateArn"])
                if is_ours(self.tags(urn), tags["Tags"]):
                    return Made(id=each["CertificateArn"])
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["CertificateArn"] for each in await self._all() if each.get("Status") not in _NEVER}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        for each in waiting:
            asked = self.account.call("acm", "describe_certificate", CertificateArn=each.made.id)
            answer = await ignoring(_GONE, asked)
            result = await self._state(each, answer["Certificate"]) if answer else _failed(each, "was deleted by somebody else")
            if result is not None:
                found[each.operation.resource.urn] = result
        return found

    async def delete(self, recorded: Recorded) -> None:
        """With the record that it was validated by."""
        asked = self.account.call("acm", "describe_certificate", CertificateArn=recorded.id)
        if (answer := await ignoring(_GONE, asked)) is None:
            return

        async def remove() -> Answer:
            return await self.account.call("acm", "delete_certificate", CertificateArn=recorded.id)

        await once_free(remove, used=("ResourceInUseException",), gone=_GONE, what=recorded.title or "a certificate")
        record, zone = _record(answer["Certificate"]), await zone_of(self.account, names.parts(recorded.urn)[1])
        if record and zone:
            await change(self.account, zone, "DELETE", record)

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        hosts = {urn: names.parts(urn)[1] for urn in arns}
        issued = {each["CertificateArn"] for each in await self._all() if each.get("Status") == "ISSUED"} if arns else set()
        return {
            urn: Known(id=arn, outputs={"arn": arn} if arn in issued else {}, inputs={"host": hosts[urn]})
            for urn, arn in arns.items()
        }

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn)

    async def _state(self, waiting: Waiting, live: Mapping[str, Any]) -> Mapping[str, Json] | DefangError | None:
        """Its outputs once it is issued, the error of what will not be; None: not yet."""
        if live["Status"] == "ISSUED":
            return {"arn": waiting.made.id}
        if live["Status"] in _NEVER:
            return _failed(waiting, f"is {live['Status'].lower()} {live.get('FailureReason', '')}".strip())
        record = _record(live)
        if record is None:
            return None
        inputs = waiting.operation.resource.inputs
        if waiting.made.id not in self._recorded:
            zone = await zone_of(self.account, inputs["host"])
            if not zone:
                return _no_zone(inputs, record)
            await change(self.account, zone, "UPSERT", record)
            self._recorded.add(waiting.made.id)
            minutes = f"{PATIENCE / 60:.0f} minutes"
            line = f"the certificate of {inputs['host']} is being validated by its record in DNS: at most {minutes}"
            waiting.operation.emit(LogLine(service=waiting.operation.resource.service, line=line))
        if waiting.seconds > PATIENCE:
            servers = await name_servers(self.account, await zone_of(self.account, inputs["host"]))
            return DeploymentFailedError(
                f"the certificate of {inputs['host']} was not validated in {PATIENCE / 60:g} minutes: AWS does not see "
                f"the record {_words(record)}, though it is in the account's zone",
                hint=f"the domain's registrar (or the zone above) has to name this zone's servers: {', '.join(servers)}. "
                "Then `up` again goes on",
            )
        return None

    async def _all(self) -> list[Mapping[str, Any]]:
        pages = await self.account.pages("acm", "list_certificates")
        return [each for page in pages for each in page["CertificateSummaryList"]]


class EdgeCertificateType(CertificateType):
    """One for CloudFront, which looks for them in one region only."""

    name = kinds.EDGE_CERTIFICATE
    region = EDGE_REGION

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account.at(EDGE_REGION), base, stack)


def _record(live: Mapping[str, Any]) -> dict[str, Any] | None:
    """By which it is validated; AWS needs some seconds to say."""
    said = next((each.get("ResourceRecord") for each in live.get("DomainValidationOptions", ())), None)
    if said is None:
        return None
    return {"Name": said["Name"], "Type": said["Type"], "TTL": 300, "ResourceRecords": [{"Value": said["Value"]}]}


def _words(record: Mapping[str, Any]) -> str:
    return f"{record['Name']} {record['Type']} {record['ResourceRecords'][0]['Value']}"


def _no_zone(inputs: Mapping[str, Json], record: Mapping[str, Any]) -> DefangError:
    host, target = inputs["host"], inputs.get("target")
    leading = f"{host} CNAME {target}" if target else f"for {host} the one that is told then"
    return DeploymentFailedError(
        f"no zone of Route 53 in this account has {host}: create these records where its zone is: {_words(record)}, and "
        f"{leading}",
        hint="then `up` again goes on; or create the zone in Route 53, or leave `domainname` out",
    )


def _failed(waiting: Waiting, how: str) -> DefangError:
    return DeploymentFailedError(
        f"the certificate of {waiting.operation.resource.inputs['host']} {how}", hint="see ACM in AWS's console"
    )

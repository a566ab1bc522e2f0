"""Names in DNS: the zones of Route 53 that the account has, and `aws:route53/Record`, by which a domain name leads to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.events import LogLine
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types.base import AwsType, ignoring
from defang_nb.providers.aws.types.distributions import distributions
from defang_nb.provision.ports import Made, Operation

_GONE = ("NoSuchHostedZone", "InvalidChangeBatch")
_OURS = "defang-"
"""What the names of our load balancers begin with, and the comments of our distributions."""
_EDGE = ".cloudfront.net"


async def zone_of(account: Account, host: str) -> str:
    """The id of the account's public zone that `host` is in, the narrowest of them; "" where it has none."""
    pages = await account.pages("route53", "list_hosted_zones")
    zones = [each for page in pages for each in page["HostedZones"] if not each.get("Config", {}).get("PrivateZone")]
    fitting = [each for each in zones if f".{host}.".endswith(f".{each['Name']}")]
    best = max(fitting, key=lambda each: len(each["Name"]), default=None)
    return str(best["Id"]).rpartition("/")[2] if best else ""


async def name_servers(account: Account, zone: str) -> list[str]:
    """Those that a zone's domain is to be delegated to."""
    answer = await account.call("route53", "get_hosted_zone", Id=zone) if zone else {}
    return list(answer.get("DelegationSet", {}).get("NameServers", ()))


async def change(account: Account, zone: str, action: str, record: Mapping[str, Any]) -> None:
    """`action`: UPSERT, or DELETE of exactly that record (one that is not there is fine)."""
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": dict(record)}]}
    changing = account.call("route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch=batch)
    await (ignoring(_GONE, changing) if action == "DELETE" else changing)


class RecordType(AwsType):
    """Inputs: `host`, `target` and `target_zone` (of a load balancer or a distribution). Outputs: `zone`.

    That is "" where the zone is elsewhere: then the record is its owner's to make, and is told.
    """

    name = kinds.RECORD
    replace_on = frozenset({"host"})

    async def create(self, operation: Operation) -> Made:
        inputs = operation.resource.inputs
        host, zone = inputs["host"], await zone_of(self.account, inputs["host"])
        if not zone:
            line = f"the zone of {host} is not in this account: create the record {host} CNAME {inputs['target']} where it is"
            operation.emit(LogLine(service=operation.resource.service, line=line))
        else:
            there = await self._there(zone, host)
            known = {inputs["target"], operation.previous.inputs.get("target") if operation.previous else None}
            if there is not None and there.rstrip(".") not in known and _OURS not in there:
                raise ProviderError(
                    f"there is a record for {host} already, which leads to {there or 'elsewhere'}",
                    hint="remove it from its zone",
                )
            await change(self.account, zone, "UPSERT", _alias(inputs))
        return Made(id=host, outputs={"zone": zone})

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        host = names.parts(urn)[1]
        zone = await zone_of(self.account, host)
        there = await self._there(zone, host) if zone else None
        return Made(id=host, outputs={"zone": zone}) if there and await self._leads_to_ours(there.rstrip(".")) else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found: dict[str, Mapping[str, Json] | None] = {}
        for each in recorded:
            zone = each.outputs.get("zone")
            there = not zone or await self._there(zone, each.id) is not None
            found[each.urn] = each.outputs if there else None
        return found

    async def delete(self, recorded: Recorded) -> None:
        if zone := recorded.outputs.get("zone"):
            await change(self.account, zone, "DELETE", _alias(recorded.inputs))

    async def _leads_to_ours(self, target: str) -> bool:
        """A distribution's own name does not tell whose it is."""
        if not target.endswith(_EDGE):
            return _OURS in target
        found = await distributions(self.account)
        return any(each["DomainName"] == target and each["Comment"].startswith(f"{_OURS}{self.stack}-") for each in found)

    async def _there(self, zone: str, host: str) -> str | None:
        """Where a name leads to, as far as a record of an address or an alias says; None without one."""
        asked = self.account.call(
            "route53", "list_resource_record_sets", HostedZoneId=zone, StartRecordName=host, StartRecordType="A", MaxItems="3"
        )
        answer = await ignoring(_GONE, asked)
        for each in answer["ResourceRecordSets"] if answer else ():
            if each["Name"].rstrip(".") == host and each["Type"] in ("A", "CNAME"):
                values = [it["Value"] for it in each.get("ResourceRecords", ())]
                return str(each.get("AliasTarget", {}).get("DNSName", "") or ", ".join(values))
        return None


def _alias(inputs: Mapping[str, Json]) -> dict[str, Any]:
    target = {"HostedZoneId": inputs["target_zone"], "DNSName": inputs["target"], "EvaluateTargetHealth": False}
    return {"Name": inputs["host"], "Type": "A", "AliasTarget": target}

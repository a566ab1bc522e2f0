"""Domain names in the simulated AWS: a certificate, records where the account has the zone, and clear words where not."""

from __future__ import annotations

from typing import Any

import pytest

from defang_nb.model.events import Outcome
from defang_nb.providers.aws.types import certificates
from tests.aws.handle import Simulation
from tests.providers.aws.stage import Stage

APP = "services:\n  web: {image: nginx, domainname: shop.example.org, ports: ['80']}\n"
CERTIFICATE = "shop/aws:acm/Certificate/shop.example.org"


async def zone(stage: Stage, name: str) -> str:
    answer = await stage.account.call("route53", "create_hosted_zone", Name=name, CallerReference=name)
    return str(answer["HostedZone"]["Id"])


async def records(stage: Stage, id_: str) -> list[tuple[str, str]]:
    answer = await stage.account.call("route53", "list_resource_record_sets", HostedZoneId=id_)
    found: list[Any] = answer["ResourceRecordSets"]
    return sorted((each["Type"], each["Name"]) for each in found if each["Type"] not in ("NS", "SOA"))


async def test_a_domain_is_found_by_https_and_leaves_nothing(stage: Stage, simulation: Simulation) -> None:
    id_ = await zone(stage, "example.org")
    applied = await stage.up(APP)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    recorded = await stage.recorded()
    assert recorded["shop/aws:ecs/Service/web"].outputs["endpoints"][0]["url"] == "https://shop.example.org"
    [(_, address), (_, validation)] = await records(stage, id_)
    assert address == "shop.example.org." and validation.startswith("_")
    balancer = (await stage.account.call("elbv2", "describe_load_balancers"))["LoadBalancers"][0]["LoadBalancerArn"]
    listeners = (await stage.account.call("elbv2", "describe_listeners", LoadBalancerArn=balancer))["Listeners"]
    secure = next(each for each in listeners if each["Port"] == 443)
    assert secure["Certificates"][0]["CertificateArn"] == recorded[CERTIFICATE].outputs["arn"]
    plain = next(each for each in listeners if each["Port"] == 80)
    rules = (await stage.account.call("elbv2", "describe_rules", ListenerArn=plain["ListenerArn"]))["Rules"]
    assert [each["Actions"][0]["Type"] for each in rules if not each["IsDefault"]] == ["redirect"]
    simulation.forget()
    await stage.up(APP)
    assert stage.plan.mutations == () and simulation.counts().mutations() == {}
    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await records(stage, id_) == []
    assert (await stage.account.call("acm", "list_certificates"))["CertificateSummaryList"] == []
    assert simulation.problems() == []


async def test_without_a_zone_the_records_are_told_and_the_next_up_goes_on(stage: Stage) -> None:
    applied = await stage.up(APP)
    error = applied.failed[CERTIFICATE]
    assert "_d930b28be6c5927595552b219965053e.shop.example.org. CNAME _c9edd" in error.message
    assert "shop.example.org CNAME defang-prod-shop-front" in error.message and "`up` again" in error.hint
    asked = (await stage.account.call("acm", "list_certificates"))["CertificateSummaryList"]
    await zone(stage, "example.org")
    assert (await stage.up(APP)).outcome is Outcome.SUCCEEDED
    again = (await stage.account.call("acm", "list_certificates"))["CertificateSummaryList"]
    assert [each["CertificateArn"] for each in again] == [each["CertificateArn"] for each in asked]


async def test_a_certificate_that_is_never_validated_says_how_long_and_by_which_record(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "PATIENCE", 1.5)
    await zone(stage, "undelegated.example.org")
    applied = await stage.up(APP.replace("shop.example", "shop.undelegated.example"))
    error = applied.failed["shop/aws:acm/Certificate/shop.undelegated.example.org"]
    assert "was not validated in 0.025 minutes" in error.message and "CNAME _c9edd" in error.message
    assert "registrar" in error.hint and "awsdns" in error.hint


async def test_a_record_of_somebody_else_is_not_overwritten(stage: Stage) -> None:
    id_ = await zone(stage, "example.org")
    theirs = {"Name": "shop.example.org", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": theirs}]}
    await stage.account.call("route53", "change_resource_record_sets", HostedZoneId=id_, ChangeBatch=batch)
    applied = await stage.up(APP)
    assert "leads to 192.0.2.1" in applied.failed["shop/aws:route53/Record/shop.example.org"].message


async def test_grpc_is_taken_at_a_domain_and_another_protocol_is_another_group(stage: Stage, simulation: Simulation) -> None:
    await zone(stage, "example.org")
    text = "services:\n  api: {image: python, domainname: api.example.org, ports: [{target: 50051, app_protocol: grpc}]}\n"
    for said, version in ((text, "GRPC"), (text.replace("grpc", "http2"), "HTTP2")):
        applied = await stage.up(said)
        assert applied.outcome is Outcome.SUCCEEDED, applied.failed
        [group] = (await stage.account.call("elbv2", "describe_target_groups"))["TargetGroups"]
        assert (group["ProtocolVersion"], group["Port"]) == (version, 50051)
        simulation.forget()
        await stage.up(said)
        assert stage.plan.mutations == () and simulation.counts().mutations() == {}
    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert (await stage.account.call("elbv2", "describe_target_groups"))["TargetGroups"] == []
    assert simulation.problems() == []

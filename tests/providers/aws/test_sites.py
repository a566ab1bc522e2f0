"""Static files in the simulated AWS: served at the edge as they are in their folder, changed by little, and away wholly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defang_nb.model.events import Outcome
from defang_nb.model.plan import Action
from defang_nb.model.resource import Recorded
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.stack import store_of
from tests.aws.handle import Simulation
from tests.providers.aws.sites import uploaded, written
from tests.providers.aws.stage import Stage
from tests.provision.memory import MemoryStore

APP = "services:\n  web: {x-defang-static-files: {folder: ., redirects: [/old=/about, /moved=https://example.org/x]}}\n"
SPA = APP.replace("redirects: [", "redirects: ['/*=/index.html', ")
SITE, DISTRIBUTION = "shop/aws:s3/Site/web", "shop/aws:cloudfront/Distribution/web"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "site")


async def up(stage: Stage, text: str, folder: Path) -> None:
    applied = await stage.deploy(await uploaded(stage.account, stage.base, text, folder))
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed


async def url(stage: Stage) -> str:
    found: str = (await stage.recorded())[SITE].outputs["endpoints"][0]["url"]
    return found


async def census(account: Account) -> dict[str, int]:
    """How many there are of each kind of thing that sites are made of."""
    buckets = [each["Name"] for each in (await account.call("s3", "list_buckets"))["Buckets"]]
    functions = (await account.call("cloudfront", "list_functions"))["FunctionList"].get("Items", ())
    controls = await account.pages("cloudfront", "list_origin_access_controls")
    distributions = await account.pages("cloudfront", "list_distributions")
    return {
        "buckets": len([each for each in buckets if each.startswith("defang-site-")]),
        "functions": len(functions),
        "controls": len(controls[0]["OriginAccessControlList"].get("Items", ())),
        "distributions": len(distributions[0]["DistributionList"].get("Items", ())),
    }


ONE = {"buckets": 1, "functions": 1, "controls": 1, "distributions": 1}
NONE = dict.fromkeys(ONE, 0)


async def test_a_site_comes_up_is_served_stays_changes_and_goes(stage: Stage, simulation: Simulation, folder: Path) -> None:
    await up(stage, APP, folder)
    home = await url(stage)
    assert home.startswith("https://") and home.endswith(".cloudfront.net")
    assert simulation.visit(home.replace("https", "http")).headers["location"] == f"{home}/"
    page = simulation.visit(f"{home}/")
    assert (page.status, page.body) == (200, b"<h1>home</h1>")
    assert page.headers["content-type"] == "text/html; charset=utf-8" and "max-age=0" in page.headers["cache-control"]
    script = simulation.visit(f"{home}/assets/main.3f2a9c1b.js")
    assert script.headers["content-type"].startswith("text/javascript") and "immutable" in script.headers["cache-control"]
    assert simulation.visit(f"{home}/nowhere").status == 404

    simulation.forget()
    await up(stage, APP, folder)
    assert stage.plan.mutations == ()
    counts = simulation.counts()
    assert {call: count for call, count in counts.mutations().items() if call != ("s3", "PutObject")} == {}
    assert counts.of("cloudfront") == 3

    (folder / "style.css").write_text("h1 {color: red}")
    simulation.forget()
    await up(stage, APP, folder)
    assert [(each.action, each.urn) for each in stage.plan.mutations] == [(Action.UPDATE, SITE)]
    made = simulation.counts().mutations()
    archive = 1  # which the workspace uploads
    assert made == {("s3", "PutObject"): 1 + archive, ("cloudfront", "CreateInvalidation"): 1}
    assert simulation.visit(f"{home}/style.css").body == b"h1 {color: red}"

    assert (await stage.down()).outcome is Outcome.SUCCEEDED
    assert await stage.recorded() == {}
    assert await census(stage.account) == NONE
    assert simulation.problems() == []


@pytest.mark.e2e
async def test_what_has_changed_is_forgotten_by_the_edge_and_nothing_else(
    stage: Stage, simulation: Simulation, folder: Path
) -> None:
    await up(stage, APP, folder)
    home = await url(stage)
    for path in ("/", "/about", "/about.html", "/docs/", "/old"):
        simulation.visit(home + path)
    (folder / "index.html").write_text("<h1>new</h1>")
    (folder / "about.html").unlink()
    await up(stage, APP, folder)
    assert simulation.visit(f"{home}/").body == simulation.visit(f"{home}/index.html").body == b"<h1>new</h1>"
    assert {simulation.visit(home + path).status for path in ("/about", "/about.html")} == {404}
    distribution = (await stage.recorded())[DISTRIBUTION].id
    batches = await stage.account.pages("cloudfront", "list_invalidations", DistributionId=distribution)
    assert len(batches[0]["InvalidationList"]["Items"]) == 1
    told = await stage.account.call(
        "cloudfront", "get_invalidation", DistributionId=distribution, Id=batches[0]["InvalidationList"]["Items"][0]["Id"]
    )
    paths = ["/", "/about", "/about.html", "/index", "/index.html"]
    assert told["Invalidation"]["InvalidationBatch"]["Paths"]["Items"] == paths
    for number in range(40):
        (folder / f"{number}.txt").write_text("x")
    simulation.forget()
    await up(stage, SPA, folder)
    assert {call: count for call, count in simulation.counts().mutations().items() if call[0] == "cloudfront"} == {
        ("cloudfront", "UpdateDistribution"): 1, ("cloudfront", "CreateInvalidation"): 1,
    }  # fmt: skip
    assert simulation.visit(f"{home}/any/where").body == b"<h1>new</h1>"


@pytest.mark.e2e
async def test_nobody_but_its_distribution_reads_a_bucket(stage: Stage, simulation: Simulation, folder: Path) -> None:
    await up(stage, APP, folder)
    home, recorded = await url(stage), await stage.recorded()
    bucket, arn = recorded["shop/aws:s3/Bucket/web"].id, recorded[DISTRIBUTION].outputs["arn"]
    policy = json.loads((await stage.account.call("s3", "get_bucket_policy", Bucket=bucket))["Policy"])
    deny, allow = policy["Statement"]
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert allow["Condition"] == {"StringEquals": {"AWS:SourceArn": arn}}
    block = await stage.account.call("s3", "get_public_access_block", Bucket=bucket)
    assert set(block["PublicAccessBlockConfiguration"].values()) == {True}
    encryption = await stage.account.call("s3", "get_bucket_encryption", Bucket=bucket)
    [rule] = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    other = json.dumps({**policy, "Statement": [deny]})
    await stage.account.call("s3", "put_bucket_policy", Bucket=bucket, Policy=other)
    assert simulation.visit(f"{home}/docs/a%20b.txt").status == 403
    await up(stage, APP, folder)
    assert simulation.visit(f"{home}/docs/a%20b.txt").body == b"plain"


@pytest.mark.e2e
async def test_what_was_changed_by_hand_is_put_right(stage: Stage, simulation: Simulation, folder: Path) -> None:
    await up(stage, APP, folder)
    home, recorded = await url(stage), await stage.recorded()
    bucket = recorded["shop/aws:s3/Bucket/web"].id
    await stage.account.call("s3", "put_object", Bucket=bucket, Key="index.html", Body=b"defaced")
    await stage.account.call("s3", "put_object", Bucket=bucket, Key="more", Body=b"more")
    seen = await stage.account.call("cloudfront", "get_distribution_config", Id=recorded[DISTRIBUTION].id)
    said = {**seen["DistributionConfig"], "PriceClass": "PriceClass_All"}
    await stage.account.call(
        "cloudfront", "update_distribution", Id=recorded[DISTRIBUTION].id, IfMatch=seen["ETag"], DistributionConfig=said
    )
    await up(stage, APP, folder)
    assert {SITE, DISTRIBUTION} <= {each.urn for each in stage.plan.mutations}
    assert simulation.visit(f"{home}/").body == b"<h1>home</h1>"
    assert simulation.visit(f"{home}/more").status == 404
    for each in (await stage.account.call("s3", "list_objects_v2", Bucket=bucket))["Contents"]:
        await stage.account.call("s3", "delete_object", Bucket=bucket, Key=each["Key"])
    await stage.account.call("s3", "delete_bucket", Bucket=bucket)
    await up(stage, APP, folder)
    assert simulation.visit(f"{home}/docs/a%20b.txt").body == b"plain"


@pytest.mark.e2e
async def test_what_no_record_knows_is_taken_over_or_removed(stage: Stage, folder: Path) -> None:
    await up(stage, APP, folder)
    stage.store = MemoryStore()
    await up(stage, APP, folder)
    assert await census(stage.account) == ONE
    stage.store = MemoryStore()
    applied = await stage.sweep()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await census(stage.account) == NONE


async def test_a_project_without_static_files_asks_nothing_about_them(stage: Stage, simulation: Simulation) -> None:
    text = "services:\n  web: {image: nginx}\n"
    await stage.up(text)
    assert simulation.counts().of("cloudfront", "s3") == 0
    await stage.up(text)
    assert simulation.counts().of("cloudfront", "s3") == 0


@pytest.mark.e2e
async def test_a_domain_leads_to_the_site_with_a_certificate_of_the_edge(
    stage: Stage, simulation: Simulation, folder: Path
) -> None:
    zone = (await stage.account.call("route53", "create_hosted_zone", Name="example.org", CallerReference="1"))["HostedZone"]
    text = APP.replace("web: {", "web: {domainname: www.example.org, ")
    await up(stage, text, folder)
    recorded = await stage.recorded()
    certificate = recorded["shop/aws:acm/EdgeCertificate/www.example.org"].outputs["arn"]
    assert certificate.startswith("arn:aws:acm:us-east-1:")
    assert await url(stage) == "https://www.example.org"
    assert simulation.visit("https://www.example.org/").body == b"<h1>home</h1>"
    listed = (await stage.account.call("route53", "list_resource_record_sets", HostedZoneId=zone["Id"]))["ResourceRecordSets"]
    [alias] = [each for each in listed if each["Type"] == "A"]
    assert alias["AliasTarget"]["DNSName"].rstrip(".") == recorded[DISTRIBUTION].outputs["host"]
    simulation.forget()
    await up(stage, text, folder)
    assert stage.plan.mutations == ()
    # The distribution is made anew, when somebody has deleted it: the name follows.
    await delete(stage, recorded[DISTRIBUTION])
    await up(stage, text, folder)
    assert simulation.visit("https://www.example.org/").body == b"<h1>home</h1>"
    assert (await stage.down()).outcome is Outcome.SUCCEEDED
    listed = (await stage.account.call("route53", "list_resource_record_sets", HostedZoneId=zone["Id"]))["ResourceRecordSets"]
    assert {each["Type"] for each in listed} == {"NS", "SOA"}
    certificates = await stage.account.at("us-east-1").call("acm", "list_certificates")
    assert certificates["CertificateSummaryList"] == []
    assert await census(stage.account) == NONE
    assert simulation.problems() == []


async def delete(stage: Stage, record: Recorded) -> None:
    from defang_nb.providers.aws.types.distributions import DistributionType

    await DistributionType(stage.account, stage.base, "prod").delete(record)


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("s3:CreateBucket", "BucketAlreadyExists", "another account's"),
        ("cloudfront:CreateDistributionWithTags", "CNAMEAlreadyExists", "answers for www.example.org already"),
        ("cloudfront:CreateDistributionWithTags", "TooManyDistributions", "Web distributions per AWS account"),
        ("cloudfront:CreateFunction", "AccessDenied", "AWS denies cloudfront.create_function"),
    ],
)
async def test_what_aws_refuses_is_one_clear_error(
    stage: Stage, simulation: Simulation, folder: Path, call: str, code: str, words: str
) -> None:
    await stage.account.call("route53", "create_hosted_zone", Name="example.org", CallerReference="1")
    text = APP.replace("web: {", "web: {domainname: www.example.org, ")
    simulation.faults({"kind": "refuse", "calls": call, "code": code, "message": "no", "status": 409})
    applied = await stage.deploy(await uploaded(stage.account, stage.base, text, folder))
    simulation.faults()
    [error] = applied.failed.values()
    assert words in error.message and error.hint


async def test_files_that_are_not_kept_any_more_are_told(stage: Stage, folder: Path) -> None:
    desired = await uploaded(stage.account, stage.base, APP, folder)
    store = store_of(stage.account, stage.base.bucket, "prod")
    for key in await store.list("contexts/"):
        await store.delete(key)
    applied = await stage.deploy(desired)
    assert "not kept in the stack's store" in applied.failed[SITE].message and "`up`" in applied.failed[SITE].hint
    await up(stage, APP, folder)

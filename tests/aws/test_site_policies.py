"""The bootstrap's policy for cd suffices for static files, and each of its statements about them is needed."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from defang_nb.errors import DefangError
from defang_nb.model.events import Outcome
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.bootstrap.template import policy
from defang_nb.providers.aws.types.distributions import DistributionType
from tests.aws.handle import ACCOUNT, REGION, Simulation
from tests.aws.test_policies import prepared
from tests.providers.aws.plans import STACK
from tests.providers.aws.sites import uploaded, written
from tests.providers.aws.stage import Stage

pytestmark = pytest.mark.e2e

APP = "services:\n  web: {domainname: www.example.org, x-defang-static-files: {folder: ., redirects: [/old=/new]}}\n"

SAID = {"Account": ACCOUNT, "Region": REGION, "Partition": "aws", "Bucket": "x"}


def actions(statement: dict[str, Any]) -> list[str]:
    said = statement["Action"]
    return [said] if isinstance(said, str) else list(said)


def without(simulation: Simulation, action: str) -> None:
    """cd's policy for sites without this action."""
    found = policy("cdsites", SAID)
    kept = [{**each, "Action": left} for each in found["Statement"] if (left := [it for it in actions(each) if it != action])]
    assert kept != found["Statement"], action
    simulation.client("iam").create_policy_version(
        PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/defang/{REGION}/cdsites",
        PolicyDocument=json.dumps({**found, "Statement": kept}),
        SetAsDefault=True,
    )


async def whole_life(stage: Stage, folder: Path) -> list[Outcome]:
    """Comes up, changes in each way that it can, and goes."""
    found = [(await stage.deploy(await uploaded(stage.account, stage.base, APP, folder))).outcome]
    (folder / "index.html").write_text("changed")
    (folder / "style.css").unlink()
    text = APP.replace("[/old", "['/*=/index.html', /old")
    changed = await uploaded(stage.account, stage.base, text, folder)
    newer = [  # of a newer version of ours, whose function is another
        msgspec.structs.replace(each, inputs={**each.inputs, "version": "2"}) if each.type == kinds.EDGE_FUNCTION else each
        for each in changed
    ]
    found += [(await stage.deploy(newer)).outcome]
    distributions = DistributionType(stage.account, stage.base, STACK)
    await distributions.find(f"shop/{kinds.DISTRIBUTION}/web")  # as after a crash
    return [*found, (await stage.down()).outcome]


async def test_it_suffices_for_a_site(simulation: Simulation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    simulation.client("route53").create_hosted_zone(Name="example.org", CallerReference="1")
    account, base = await prepared(simulation, monkeypatch)
    outcomes = await whole_life(Stage(account, base), written(tmp_path / "site"))
    assert simulation.denied() == []
    assert set(outcomes) == {Outcome.SUCCEEDED}
    assert simulation.problems() == []


@pytest.mark.parametrize("action", sorted(it for each in policy("cdsites", SAID)["Statement"] for it in actions(each)))
async def test_no_action_is_there_in_vain(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, action: str
) -> None:
    simulation.client("route53").create_hosted_zone(Name="example.org", CallerReference="1")
    account, base = await prepared(simulation, monkeypatch)
    without(simulation, action)
    with contextlib.suppress(DefangError):  # what may not even be looked at ends a deployment before it begins
        await whole_life(Stage(account, base), written(tmp_path / "site"))
    assert any(f": {action} " in each for each in simulation.denied()), simulation.denied()


async def test_what_is_not_ours_is_out_of_reach(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    s3, cloudfront = simulation.client("s3"), simulation.client("cloudfront")
    place = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="theirs", CreateBucketConfiguration=place)
    origin = {"Id": "x", "DomainName": "theirs.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    config = {
        "CallerReference": "1", "Comment": "", "Enabled": False, "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "x", "ViewerProtocolPolicy": "allow-all"},
    }  # fmt: skip
    theirs = cloudfront.create_distribution(DistributionConfig=config)
    account, _ = await prepared(simulation, monkeypatch)
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "1"}
    refused: list[tuple[str, str, dict[str, Any]]] = [
        ("s3", "put_object", {"Bucket": "theirs", "Key": "a", "Body": b""}),
        ("s3", "delete_bucket", {"Bucket": "theirs"}),
        ("s3", "put_bucket_policy", {"Bucket": "theirs", "Policy": "{}"}),
        ("s3", "create_bucket", {"Bucket": "defang-site-of-another-account", "CreateBucketConfiguration": place}),
        ("cloudfront", "create_distribution", {"DistributionConfig": {**config, "CallerReference": "2"}}),
        ("cloudfront", "delete_distribution", {"Id": theirs["Distribution"]["Id"], "IfMatch": theirs["ETag"]}),
        ("cloudfront", "create_invalidation", {"DistributionId": theirs["Distribution"]["Id"], "InvalidationBatch": batch}),
        ("cloudfront", "delete_function", {"Name": "theirs", "IfMatch": "x"}),
    ]
    for service, operation, given in refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(account.client(service), operation)(**given)
    assert len(simulation.denied()) == len(refused)

"""The bootstrap of an account: made, found by one read, resumed, renewed, taken down; and what its roles may do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from defang_nb.errors import ProviderError, UsageError
from defang_nb.model.resource import Recorded
from defang_nb.providers import aws
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap import template
from defang_nb.providers.aws.bootstrap.stack import BootstrapStack, store_of
from defang_nb.provision.journal import End
from defang_nb.provision.lease import Lease
from defang_nb.provision.owner import this_process
from defang_nb.provision.state import State
from tests.aws.handle import Simulation
from tests.providers.aws.conftest import REGION

ACCOUNT = "123456789012"
RECORDED = Recorded(urn="shop/t/a", type="t", id="a", inputs={}, input_hash="")
BUCKET = f"defang-nb-{ACCOUNT}-{REGION}"


@pytest.fixture
def stack(account: Account) -> BootstrapStack:
    return BootstrapStack(account, pace=0.01)


def live() -> Any:
    """CloudFormation's own record of the stack, to be put into a state."""
    from moto.cloudformation.models import cloudformation_backends

    return next(iter(cloudformation_backends[ACCOUNT][REGION].stacks.values()))


@pytest.mark.filterwarnings("ignore:Tried to parse")
async def test_it_is_made_once_and_found_by_one_read(stack: BootstrapStack, account: Account) -> None:
    assert await stack.base() is None
    said: list[str] = []
    base = await stack.install(said.append)
    assert (base.account, base.region, base.bucket, len(base.subnets)) == (ACCOUNT, REGION, BUCKET, 2)
    assert said[0].startswith("preparing the account")
    assert await stack.install(said.append) == base == await stack.base()
    assert len([each for each in said if each.startswith("preparing")]) == 1


@pytest.mark.filterwarnings("ignore:Tried to parse")
@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
async def test_what_an_attempt_that_failed_left_is_made_anew(stack: BootstrapStack, state: str) -> None:
    await stack.install()
    live().status = state
    said: list[str] = []
    assert (await stack.install(said.append)).bucket == BUCKET
    assert f"({state})" in said[0]
    assert (await stack.status()).state == "CREATE_COMPLETE"


@pytest.mark.filterwarnings("ignore:Tried to parse")
async def test_an_older_revision_is_renewed_and_a_newer_one_is_left(
    stack: BootstrapStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.install()
    now, newer = template.REVISION, template.REVISION + 1
    monkeypatch.setattr("defang_nb.providers.aws.bootstrap.stack.REVISION", newer)
    monkeypatch.setattr(template, "REVISION", newer)
    assert not (await stack.status()).current
    assert (await stack.install()).revision == newer
    monkeypatch.setattr("defang_nb.providers.aws.bootstrap.stack.REVISION", now)
    before = live().status
    assert (await stack.install()).revision == newer
    assert live().status == before == "UPDATE_COMPLETE"


@pytest.mark.filterwarnings("ignore:Tried to parse")
async def test_a_bucket_that_was_deleted_by_hand_is_made_anew(stack: BootstrapStack, account: Account) -> None:
    await stack.install()
    await account.call("s3", "delete_bucket", Bucket=BUCKET)
    said: list[str] = []
    assert (await stack.install(said.append)).bucket == BUCKET
    assert said[0] == "the bucket is not there any more: a new one is made"
    await account.call("s3", "head_bucket", Bucket=BUCKET)


async def test_it_goes_when_nothing_is_deployed_but_for_the_bucket_which_the_next_one_takes(
    stack: BootstrapStack, account: Account
) -> None:
    await stack.install()
    store = store_of(account, BUCKET, "prod")
    async with Lease(store, "shop", deployment="d", owner=this_process()) as lease:
        state = await State.open(store, "shop", lease=lease)
        await state.append(End(urn="shop/t/a", recorded=RECORDED, deployment="d", time=1.0))
    with pytest.raises(UsageError, match=r"shop \(prod\)"):
        await stack.teardown()
    async with Lease(store, "shop", deployment="d", owner=this_process()) as lease:
        state = await State.open(store, "shop", lease=lease)
        await state.append(End(urn="shop/t/a", recorded=None, deployment="d", time=2.0))
    assert await stack.teardown() == BUCKET
    assert (await stack.status()).state == ""
    await account.call("s3", "head_bucket", Bucket=BUCKET)
    assert (await stack.install()).bucket == BUCKET
    assert await stack.teardown() == BUCKET
    assert await stack.teardown() == BUCKET


async def test_what_is_denied_is_named(simulation: Simulation) -> None:
    simulation.faults(
        {"kind": "denied", "calls": "cloudformation:CreateStack", "message": "not authorized: cloudformation:CreateStack"}
    )
    with pytest.raises(ProviderError, match=r"cloudformation.create_stack: .*cloudformation:CreateStack"):
        await BootstrapStack(Account({"AWS_REGION": REGION}), pace=0.01).install()


SAID = {"Account": ACCOUNT, "Region": REGION, "Partition": "aws", "Bucket": BUCKET}
BY_OTHERS = {
    "s3:GetObject", "ecr:BatchCheckLayerAvailability",  # Kaniko
    "iam:PassRole", "iam:TagRole", "iam:CreateServiceLinkedRole", "ec2:CreateTags", "ecs:TagResource", "ssm:AddTagsToResource",
    "ecr:TagResource", "logs:TagResource", "elasticloadbalancing:AddTags", "servicediscovery:TagResource",
    "elasticfilesystem:TagResource", "acm:AddTagsToCertificate", "application-autoscaling:TagResource", "rds:AddTagsToResource",
    "elasticache:AddTagsToResource",  # what is made with tags, or a role
    "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:RemoveListenerCertificates",
    "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress",  # whose names the code puts together
    "s3:PutBucketPublicAccessBlock", "s3:PutEncryptionConfiguration", "cloudfront:CreateDistribution",  # other names at IAM
    "s3:DeleteObjectVersion", "cloudfront:TagResource",  # a call with versions, or with tags
    "s3:GetBucketLocation", "s3:ListBucket",  # what is asked before an object is read; a HEAD, and a listing
    "route53:CreateHostedZone", "route53:DeleteHostedZone",  # Cloud Map
    "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms",  # autoscaling
    "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute",  # EFS
    "rds:CreateDBSnapshot", "rds:CreateDBClusterSnapshot", "elasticache:CreateSnapshot",  # the last one of what is deleted
}  # fmt: skip
"""What is asked of IAM for another call of ours, in our name, and is no call itself."""


def test_no_policy_is_broader_than_it_has_to_be() -> None:
    for name in (*template.ROLES, "cdstores", "cdsites", "boundary"):
        document = template.policy(name, SAID)
        most = 10_240 if name in template.ROLES else 6_144
        assert len(json.dumps(document, separators=(",", ":"))) < most, "IAM keeps no longer one"
        for statement in document["Statement"]:
            actions = _listed(statement["Action"])
            assert "*" not in actions
            assert not any(each.startswith("iam:") and "*" in each for each in actions)


def test_cd_may_do_what_it_does_and_no_more() -> None:
    """Every action that changes something is one that the code calls, or that another call needs; nothing is `service:*`."""
    statements = [each for name in ("cd", "cdstores", "cdsites") for each in template.policy(name, SAID)["Statement"]]
    allowed = {action for each in statements for action in _listed(each["Action"])}
    looks = ("Describe*", "List*", "Get*")
    assert [each for each in allowed if "*" in each and not each.endswith(looks)] == []
    code = "\n".join(each.read_text() for each in Path(aws.__file__).parent.rglob("*.py"))
    changing = {each for each in allowed - BY_OTHERS if not each.partition(":")[2].startswith(("Describe", "List", "Get"))}
    assert [each for each in changing if f'"{xform_name(each.partition(":")[2])}"' not in code] == []
    for statement in statements:
        narrow = statement["Resource"] != "*" or "Condition" in statement
        assert narrow or _listed(statement["Action"])[0] in WHOLE_ACCOUNT, statement


WHOLE_ACCOUNT = ("ec2:Describe*", "ecs:RegisterTaskDefinition", "route53:CreateHostedZone", "s3:ListAllMyBuckets")
"""The statements for all of the account begin with these."""


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_the_bucket_stays_and_nobody_is_an_administrator() -> None:
    whole = template.template(ACCOUNT, REGION, with_bucket=True)
    bucket = whole["Resources"]["Bucket"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    text = json.dumps(whole)
    assert "AdministratorAccess" not in text
    assert "PowerUserAccess" not in text
    assert len(text) < 51_200, "CloudFormation takes no longer one in a call"

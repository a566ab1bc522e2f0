from __future__ import annotations

import pytest

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.names import physical
from defang_nb.providers.aws.quotas import quota
from defang_nb.providers.aws.refusals import AwsError
from tests.aws.handle import Simulation


async def test_says_who_we_are(account: Account) -> None:
    assert (await account.identity()).account == "123456789012"


async def test_pages_hold_everything(account: Account) -> None:
    await account.call("s3", "create_bucket", Bucket="pages", CreateBucketConfiguration={"LocationConstraint": account.region})
    for number in range(5):
        await account.call("s3", "put_object", Bucket="pages", Key=str(number), Body=b"")

    pages = await account.pages("s3", "list_objects_v2", Bucket="pages", PaginationConfig={"PageSize": 2})

    assert [each["Key"] for page in pages for each in page["Contents"]] == list("01234")


async def test_a_refusal_has_the_code_of_aws(account: Account) -> None:
    with pytest.raises(AwsError) as refused:
        await account.call("ecs", "describe_services", cluster="none", services=["a"])
    assert refused.value.code == "ClusterNotFoundException"


async def test_without_credentials_says_how_to_get_some(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ProviderError, match="no AWS credentials") as missing:
        await Account({"AWS_REGION": "eu-central-1"}).identity()
    assert "AWS_PROFILE" in missing.value.hint


async def test_an_unknown_profile_is_named(aws: str) -> None:
    with pytest.raises(UsageError, match="nobody"):
        await Account({"AWS_REGION": "eu-central-1", "AWS_PROFILE": "nobody"}).identity()


def test_a_name_too_long_stays_one_name() -> None:
    long = physical("project", "x" * 60, longest=32)
    assert len(long) <= 32
    assert long == physical("project", "x" * 60, longest=32)
    assert long != physical("project", "x" * 61, longest=32)


async def test_a_quota_is_named_with_what_there_is_of_it(simulation: Simulation) -> None:
    fault = {"kind": "refuse", "calls": "ec2:CreateSecurityGroup", "code": "SecurityGroupLimitExceeded", "message": "no more"}
    simulation.faults(fault)
    account = Account({"AWS_REGION": "eu-central-1"})
    with pytest.raises(AwsError, match=r"VPC security groups per Region, \d+ now.*no more") as full:
        await account.call("ec2", "create_security_group", GroupName="a", Description="a")
    assert full.value.hint.endswith("servicequotas/home/services/vpc")
    assert full.value.code == "SecurityGroupLimitExceeded"


@pytest.mark.parametrize(
    ("call", "code", "message", "name"),
    [
        ("elbv2.create_load_balancer", "TooManyLoadBalancers", "", "Application Load Balancers per Region"),
        ("ecs.run_task", "ClientException", "You've reached the limit on the number of vCPUs you can run", "Fargate On-Demand"),
        ("ecs.run_task", "ClientException", "something else", None),
        ("ec2.run_instances", "LimitExceededException", "", None),
    ],
)
def test_which_quota_it_is(call: str, code: str, message: str, name: str | None) -> None:
    found = quota(AwsError(message, code=code, call=call))
    assert (found is None) if name is None else (found is not None and found.name.startswith(name))

"""The bootstrap's policy for cd suffices for a whole deployment, from nothing to nothing, and for no more than it should."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from defang_nb.model.events import Outcome
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.stack import BootstrapStack
from tests.aws.handle import REGION, Simulation
from tests.providers.aws.stage import APP, Stage
from tests.providers.aws.test_documents import APP as DOCUMENTS
from tests.providers.aws.test_domains import APP as DOMAIN
from tests.providers.aws.test_stores import APP as STORES
from tests.providers.aws.test_stores import FILES
from tests.providers.aws.test_stores import given as configured

pytestmark = pytest.mark.e2e


async def prepared(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> tuple[Account, Base]:
    """An account that is prepared, and a session in it of cd's role, with the policies enforced."""
    simulation.pace(0.01)
    base = await BootstrapStack(Account({"AWS_REGION": REGION}), pace=0.05).install()
    given = simulation.client("sts").assume_role(RoleArn=base.cd_role, RoleSessionName="cd")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])
    simulation.enforce()
    return Account({"AWS_REGION": REGION}), base


async def test_it_suffices_for_a_deployment(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    account, base = await prepared(simulation, monkeypatch)
    stage = Stage(account, base)
    applied = await stage.up(APP)
    assert simulation.denied() == []
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    applied = await stage.up(APP.replace("/x", "/y").replace("replicas: 2", "replicas: 3"))
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert simulation.denied() == []
    assert simulation.problems() == []


async def test_it_suffices_for_stores_volumes_and_domains(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    account, base = await prepared(simulation, monkeypatch)
    stage, text = Stage(account, base), STORES.replace("x-defang-postgres: true", "x-defang-postgres: true\n    mem_limit: 4g")
    await configured(stage, "DB_PASSWORD", "not-to-be-guessed")
    simulation.client("route53").create_hosted_zone(Name="example.org", CallerReference="1")
    larger = DOCUMENTS.replace("x-defang-mongodb: true", "mem_limit: 10g, x-defang-mongodb: {allow-downtime: true}")
    text = text.replace("x-defang-redis: true", "x-defang-redis: true, mem_limit: 3g")
    for each in (FILES, DOMAIN, STORES, text, DOCUMENTS, larger):
        applied = await stage.up(each)
        assert simulation.denied() == []
        assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert simulation.denied() == []
    assert simulation.problems() == []


async def test_what_is_not_ours_is_out_of_reach(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    ec2, s3 = simulation.client("ec2"), simulation.client("s3")
    s3.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": REGION})
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)["GroupId"]
    account, base = await prepared(simulation, monkeypatch)
    refused = {
        ("s3", "get_object"): {"Bucket": "theirs", "Key": "a"},
        ("ec2", "delete_security_group"): {"GroupId": group},
        ("iam", "create_role"): {"RoleName": "big", "AssumeRolePolicyDocument": "{}"},
        ("iam", "create_user"): {"UserName": "somebody"},
        ("ssm", "put_parameter"): {"Name": "/theirs", "Value": "x", "Type": "String"},
        ("ecs", "delete_cluster"): {"cluster": base.cluster},
        ("cloudformation", "delete_stack"): {"StackName": "defang-cd"},
    }
    for (service, operation), given in refused.items():
        with pytest.raises(ClientError, match=r"AccessDenied|UnauthorizedOperation"):
            getattr(account.client(service), operation)(**given)
    assert len(simulation.denied()) == len(refused)

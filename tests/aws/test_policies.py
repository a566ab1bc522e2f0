"""The bootstrap's policy for cd suffices for a whole deployment, from nothing to nothing, and for no more than it should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

SCALED = "services: {web: {image: nginx, ports: [80], x-defang-autoscaling: true}}"


async def prepared(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> tuple[Account, Base]:
    """An account that is prepared, and a session in it of cd's role, with the policies enforced."""
    simulation.pace(0.01)
    base = await BootstrapStack(Account({"AWS_REGION": REGION}), pace=0.05).install()
    account = _session(simulation, monkeypatch, base.cd_role)
    simulation.enforce()
    return account, base


def _session(simulation: Simulation, monkeypatch: pytest.MonkeyPatch, role: str) -> Account:
    given = simulation.client("sts").assume_role(RoleArn=role, RoleSessionName="cd")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", given["SessionToken"])
    return Account({"AWS_REGION": REGION})


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
    for each in (FILES, DOMAIN, SCALED, STORES, text, DOCUMENTS, larger):
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
        ("ec2", "create_tags"): {"Resources": [group], "Tags": [{"Key": "defang:managed-by", "Value": "defang-nb"}]},
        ("iam", "delete_role_policy"): {"RoleName": base.cd_role.rpartition("/")[2], "PolicyName": "cd"},
        ("ecs", "register_task_definition"): {**TASK, "taskRoleArn": base.cd_role},
        ("logs", "delete_log_group"): {"logGroupName": base.log_group},
        ("ecr", "delete_repository"): {"repositoryName": "defang/cd", "force": True},
    }
    assert _refused(account, refused) == len(simulation.denied()) == len(refused)


async def test_what_a_dockerfile_runs_can_not_become_cd(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the credentials of the task that builds it. cd's own image is built by another role."""
    _, base = await prepared(simulation, monkeypatch)
    account = _session(simulation, monkeypatch, base.kaniko_role)
    keys = "/Defang/_stacks/prod/cd-1-client"
    refused = {
        ("ecr", "put_image"): {"repositoryName": "defang/cd", "imageManifest": "{}", "imageTag": "0.1-0123456789abcdef"},
        ("s3", "put_object"): {"Bucket": base.bucket, "Key": "stacks/prod/contexts/cd-0.1.tar.gz", "Body": b""},
        ("s3", "get_object"): {"Bucket": base.bucket, "Key": "stacks/prod/cd/launch.json"},
        ("ssm", "get_parameter"): {"Name": keys, "WithDecryption": True},
        ("ecs", "run_task"): {"cluster": base.cluster, "taskDefinition": "defang-cd"},
    }
    assert _refused(account, refused) == len(refused)
    account = _session(simulation, monkeypatch, base.execution_role)
    assert _refused(account, {("ssm", "get_parameters"): {"Names": [keys], "WithDecryption": True}}) == 1


TASK = {"family": "defang-x", "containerDefinitions": [{"name": "x", "image": "x"}]}


def _refused(account: Account, calls: Mapping[tuple[str, str], Mapping[str, Any]]) -> int:
    """How many of the calls are refused: all, or this test fails."""
    for (service, operation), given in calls.items():
        with pytest.raises(ClientError, match=r"AccessDenied|UnauthorizedOperation"):
            getattr(account.client(service), operation)(**given)
    return len(calls)

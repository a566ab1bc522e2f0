"""What the layer in front of moto does: it counts, records, and makes faults."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.aws.handle import Simulation


def once(service: str, simulation: Simulation) -> Any:
    """A client that asks once."""
    return _once(service, simulation.url)


@cache
def _once(service: str, url: str) -> Any:
    return boto3.client(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


def test_calls_are_counted_by_service_and_operation_reads_apart_from_changes(simulation: Simulation) -> None:
    s3 = simulation.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket="bucket", Key="a/b c", Body=b"x", IfNoneMatch="*")
    s3.copy_object(Bucket="bucket", Key="d", CopySource="bucket/a/b c")
    s3.list_objects_v2(Bucket="bucket")
    s3.head_object(Bucket="bucket", Key="a/b c")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="m")["UploadId"]
    s3.upload_part(Bucket="bucket", Key="m", UploadId=upload, PartNumber=1, Body=b"y")
    simulation.client("elbv2").describe_load_balancers()
    simulation.client("route53").list_hosted_zones()
    simulation.client("cloudfront").list_distributions()
    simulation.client("efs").describe_file_systems()
    simulation.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    counts = simulation.counts()
    assert counts.calls == {
        **{("s3", name): 1 for name in ("CreateBucket", "PutObject", "CopyObject", "ListObjectsV2", "HeadObject")},
        **{("s3", name): 1 for name in ("CreateMultipartUpload", "UploadPart")},
        ("elbv2", "DescribeLoadBalancers"): 1,
        ("route53", "ListHostedZones"): 1,
        ("iam", "CreateRole"): 1,
        ("cloudfront", "ListDistributions"): 1,
        ("efs", "DescribeFileSystems"): 1,
    }
    assert counts.mutations(besides=("s3",)) == {("iam", "CreateRole"): 1}
    simulation.client("iam").list_roles()
    assert dict((simulation.counts() - counts).calls) == {("iam", "ListRoles"): 1}


def test_secrets_are_found_in_what_was_sent_but_for_the_channels_that_carry_them(simulation: Simulation) -> None:
    secret = "s3cret & value"
    simulation.client("ssm").put_parameter(Name="/a", Value=secret, Type="SecureString")
    assert simulation.search(secret) == []
    simulation.client("logs").create_log_group(logGroupName="group", tags={"t": secret})
    simulation.client("iam").create_user(UserName="u", Tags=[{"Key": "k", "Value": secret}])
    simulation.client("logs").create_log_group(
        logGroupName="other", tags={"t": base64.b64encode(f"..{secret}.".encode()).decode()}
    )
    assert simulation.search(secret) == ["logs:CreateLogGroup", "iam:CreateUser", "logs:CreateLogGroup"]
    assert json.loads(simulation.bodies()[0]["body"])["logGroupName"] == "group"


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("ecs", "list_clusters", "ThrottlingException"),
        ("ec2", "describe_vpcs", "RequestLimitExceeded"),
        ("iam", "list_roles", "Throttling"),
        ("s3", "list_buckets", "SlowDown"),
        ("efs", "describe_file_systems", "ThrottlingException"),
    ],
)
def test_throttling_in_the_words_of_each_protocol(simulation: Simulation, service: str, call: str, code: str) -> None:
    simulation.faults({"kind": "throttle", "times": 1})
    client = once(service, simulation)
    with pytest.raises(ClientError) as refused:
        getattr(client, call)()
    assert refused.value.response["Error"]["Code"] == code
    getattr(client, call)()


def test_a_lost_reply_was_carried_out(simulation: Simulation) -> None:
    ecs = once("ecs", simulation)
    simulation.faults({"kind": "lost", "calls": "ecs:CreateCluster", "times": 1})
    with pytest.raises(ConnectionClosedError):
        ecs.create_cluster(clusterName="one")
    simulation.faults({"kind": "lost-error", "calls": "ecs:CreateCluster", "times": 1})
    with pytest.raises(ClientError, match="InternalFailure"):
        ecs.create_cluster(clusterName="two")
    assert len(ecs.list_clusters()["clusterArns"]) == 2


def test_denied_expired_and_a_share_of_calls(simulation: Simulation) -> None:
    ecs, ec2 = once("ecs", simulation), once("ec2", simulation)
    simulation.faults({"kind": "denied", "calls": "ec2:.*"}, {"kind": "expired", "calls": "ecs:.*", "after": 2})
    with pytest.raises(ClientError, match=r"UnauthorizedOperation.*ec2:DescribeVpcs"):
        ec2.describe_vpcs()
    for _ in range(2):
        ecs.list_clusters()
    with pytest.raises(ClientError, match="ExpiredToken"):
        ecs.list_clusters()

    def refused() -> list[bool]:
        simulation.faults({"kind": "error", "share": 0.2}, seed=4)
        found = []
        for _ in range(20):
            try:
                ecs.list_clusters()
                found.append(False)
            except ClientError:
                found.append(True)
        return found

    first = refused()
    assert refused() == first
    assert 1 <= sum(first) <= 10


def test_a_call_that_is_not_known_says_so_and_is_told(simulation: Simulation) -> None:
    with pytest.raises(ClientError, match="SimulationLacks"):
        once("ecs", simulation).list_services_by_namespace(namespace="n")
    [said] = simulation.problems()
    assert said.startswith("ecs:ListServicesByNamespace")

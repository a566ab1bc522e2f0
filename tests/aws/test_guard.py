"""Sessions of roles are held to their policies and boundaries, by action, resource and condition."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.aws.account import Yard
from tests.aws.handle import ACCOUNT, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role"
INSIDE = f"arn:aws:iam::{ACCOUNT}:policy/inside"
POLICY = [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::mine/*"},
    {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::mine/kept/*"},
    {"Effect": "Allow", "Action": ["ecr:CreateRepository", "ecr:TagResource"], "Resource": "arn:aws:ecr:*:*:repository/mine/*"},
    {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
    {
        "Effect": "Allow",
        "Action": "ec2:DeleteSecurityGroup",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/by": "us"}},
    },
    {
        "Effect": "Allow",
        "Action": "iam:CreateRole",
        "Resource": f"{ROLE}/*",
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": INSIDE}},
    },
    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": f"{ROLE}/mine-*"},
    {"Effect": "Allow", "Action": "ecs:RegisterTaskDefinition", "Resource": "*"},
    {"Effect": "Allow", "Action": "elasticloadbalancing:*", "Resource": "arn:aws:elasticloadbalancing:*:*:loadbalancer/*"},
    {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
]
BOUNDARY = [{"Effect": "Allow", "NotAction": "sqs:*", "Resource": "*"}]


@pytest.fixture
def session(yard: Yard) -> Any:
    """boto3 as a role, with the policies enforced."""
    iam = yard.client("iam")
    iam.create_policy(PolicyName="inside", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": BOUNDARY}))
    iam.create_role(RoleName="it", AssumeRolePolicyDocument="{}", PermissionsBoundary=INSIDE)
    iam.put_role_policy(
        RoleName="it", PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": POLICY})
    )
    yard.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    yard.simulation.enforce()
    given = yard.client("sts").assume_role(RoleArn=f"{ROLE}/it", RoleSessionName="session")["Credentials"]
    return boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=REGION,
    )


def denied(call: Any, **given: Any) -> str:
    """What IAM says; "" where it lets the call through, whatever becomes of it."""
    try:
        call(**given)
    except ClientError as refused:
        error = refused.response["Error"]
        return error["Message"] if error["Code"].startswith(("AccessDenied", "UnauthorizedOperation")) else ""
    return ""


def test_what_is_allowed_and_what_is_not(yard: Yard, session: Any) -> None:
    s3, ecr, ec2 = session.client("s3"), session.client("ecr"), session.client("ec2")
    iam, ecs, elb = session.client("iam"), session.client("ecs"), session.client("elbv2")
    assert not denied(s3.put_object, Bucket="mine", Key="a", Body=b"")
    assert "s3:ListBucket on resource: arn:aws:s3:::mine" in denied(s3.list_objects_v2, Bucket="mine")
    assert not denied(s3.delete_object, Bucket="mine", Key="a")
    assert "explicit deny" in denied(s3.delete_object, Bucket="mine", Key="kept/a")
    assert not denied(ecr.create_repository, repositoryName="mine/a", tags=[{"Key": "k", "Value": "v"}])
    assert "ecr:CreateRepository" in denied(ecr.create_repository, repositoryName="theirs")
    assert not denied(ec2.describe_security_groups)
    assert "ec2:DeleteSecurityGroup" in denied(ec2.delete_security_group, GroupId=yard.group)
    yard.client("ec2").create_tags(Resources=[yard.group], Tags=[{"Key": "by", "Value": "us"}])
    assert not denied(ec2.delete_security_group, GroupId=yard.group)
    assert "iam:CreateRole" in denied(iam.create_role, RoleName="mine-a", AssumeRolePolicyDocument="{}")
    assert not denied(iam.create_role, RoleName="mine-a", AssumeRolePolicyDocument="{}", PermissionsBoundary=INSIDE)
    task = {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 128}]}
    assert not denied(ecs.register_task_definition, **task, taskRoleArn=f"{ROLE}/mine-a")
    assert "iam:PassRole" in denied(ecs.register_task_definition, **task, taskRoleArn=f"{ROLE}/theirs")
    assert "elasticloadbalancing:DescribeLoadBalancers" in denied(elb.describe_load_balancers)
    assert "no permissions boundary allows" in denied(session.client("sqs").list_queues)
    assert not denied(session.client("sts").get_caller_identity)
    assert len(yard.simulation.denied()) == 8

"""The CloudFormation template of the bootstrap: one stack in each account and region that is deployed to.

Two public subnets and no NAT: tasks get public addresses, and security groups let nothing in but what is meant to. The bucket
stays when the stack goes, and the next one takes it over.
"""

from __future__ import annotations

from importlib.resources import files
from string import Template
from typing import Any

import yaml

from defang_nb.providers.aws.names import MANAGED_BY, MANAGER

REVISION = 5
"""To be raised with every change of the template or the policies: older stacks are then updated."""
STACK = "defang-cd"
CLUSTER = "defang"
LOG_GROUP = "/defang/cd"
CD_TASK = "defang-cd"
CD_REPOSITORY = "defang/cd"
CD_PORT = 50051
_LOG_DAYS = 30
ROLES = {"execution": "ExecutionRole", "kaniko": "KanikoRole", "cdimage": "CdImageRole", "cd": "CdRole"}
"""Of each policy of `policies.yaml` that is a part of a role, that role; the others are policies of their own."""
_TAGS = [{"Key": MANAGED_BY, "Value": MANAGER}]


def tasks_of(account: str) -> dict[str, Any]:
    """A role's trust in ECS: tasks of this account, and of no other's (IAM User Guide, "The confused deputy problem")."""
    allowed = {
        "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }  # fmt: skip
    return {"Version": "2012-10-17", "Statement": [allowed]}


def bucket_name(account: str, region: str) -> str:
    return f"defang-nb-{account}-{region}"


def template(account: str, region: str, *, partition: str = "aws", with_bucket: bool) -> dict[str, Any]:
    """`with_bucket`: the stack makes the bucket; else there is one already, which a former stack left."""
    bucket = bucket_name(account, region)
    said = {"Account": account, "Region": region, "Partition": partition, "Bucket": bucket}
    resources: dict[str, Any] = {**_network(region), **_cluster(), **_roles(said, region)}
    if with_bucket:
        resources |= _bucket(bucket, partition)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What Defang for notebooks needs once in an account and region: cd and builds run here.",
        "Resources": resources,
        "Outputs": {key: {"Value": value} for key, value in _outputs(bucket).items()},
    }


def policy(name: str, said: dict[str, str]) -> dict[str, Any]:
    """A policy document of `policies.yaml`."""
    text = files(__package__).joinpath("policies.yaml").read_text(encoding="utf-8")
    statements = yaml.safe_load(Template(text).substitute(said))[name]
    return {"Version": "2012-10-17", "Statement": statements}


def _outputs(bucket: str) -> dict[str, Any]:
    return {
        "Revision": str(REVISION),
        "Bucket": bucket,
        "Cluster": {"Fn::GetAtt": ["Cluster", "Arn"]},
        "Vpc": {"Ref": "Vpc"},
        "Subnets": {"Fn::Join": [",", [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]]},
        "ServicesGroup": {"Fn::GetAtt": ["ServicesGroup", "GroupId"]},
        "PublicGroup": {"Fn::GetAtt": ["PublicGroup", "GroupId"]},
        "CdGroup": {"Fn::GetAtt": ["CdGroup", "GroupId"]},
        "LogGroup": {"Ref": "LogGroup"},
        "ExecutionRole": {"Fn::GetAtt": ["ExecutionRole", "Arn"]},
        "CdRole": {"Fn::GetAtt": ["CdRole", "Arn"]},
        "KanikoRole": {"Fn::GetAtt": ["KanikoRole", "Arn"]},
        "CdImageRole": {"Fn::GetAtt": ["CdImageRole", "Arn"]},
        "Boundary": {"Ref": "Boundary"},
        "CdRepository": CD_REPOSITORY,
    }


def _resource(type_: str, *, after: str = "", tagged: bool = True, **properties: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"Type": type_, "Properties": {**properties, **({"Tags": _TAGS} if tagged else {})}}
    return made | ({"DependsOn": after} if after else {})


def _network(region: str) -> dict[str, Any]:
    made = {
        "Vpc": _resource("AWS::EC2::VPC", CidrBlock="10.71.0.0/16", EnableDnsSupport=True, EnableDnsHostnames=True),
        "Gateway": _resource("AWS::EC2::InternetGateway"),
        "Attachment": _resource(
            "AWS::EC2::VPCGatewayAttachment", tagged=False, VpcId={"Ref": "Vpc"}, InternetGatewayId={"Ref": "Gateway"}
        ),
        "Routes": _resource("AWS::EC2::RouteTable", VpcId={"Ref": "Vpc"}),
        "DefaultRoute": _resource(
            "AWS::EC2::Route", after="Attachment", tagged=False, RouteTableId={"Ref": "Routes"},
            DestinationCidrBlock="0.0.0.0/0", GatewayId={"Ref": "Gateway"},
        ),
        # What tasks read from and write to S3 costs nothing on this way.
        "S3Endpoint": _resource(
            "AWS::EC2::VPCEndpoint", tagged=False, VpcId={"Ref": "Vpc"}, ServiceName=f"com.amazonaws.{region}.s3",
            RouteTableIds=[{"Ref": "Routes"}],
        ),
        "ServicesGroup": _group("what tasks of builds are in: nothing comes in", []),
        "CdGroup": _group("cd: each client opens its own way in, and cd closes it", []),
        "PublicGroup": _group("load balancers", [_open(80), _open(443)]),
    }  # fmt: skip
    for number, letter in enumerate("AB"):
        zone = {"Fn::Select": [number, {"Fn::GetAZs": ""}]}
        made[f"Subnet{letter}"] = _resource(
            "AWS::EC2::Subnet", VpcId={"Ref": "Vpc"}, AvailabilityZone=zone, CidrBlock=f"10.71.{number * 64}.0/18",
            MapPublicIpOnLaunch=True,
        )  # fmt: skip
        made[f"Association{letter}"] = _resource(
            "AWS::EC2::SubnetRouteTableAssociation", tagged=False, SubnetId={"Ref": f"Subnet{letter}"},
            RouteTableId={"Ref": "Routes"},
        )  # fmt: skip
    return made


def _group(description: str, ingress: list[dict[str, Any]]) -> dict[str, Any]:
    return _resource(
        "AWS::EC2::SecurityGroup", GroupDescription=description, VpcId={"Ref": "Vpc"}, SecurityGroupIngress=ingress
    )


def _open(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "0.0.0.0/0"}


def _cluster() -> dict[str, Any]:
    return {
        "Cluster": _resource("AWS::ECS::Cluster", ClusterName=CLUSTER, CapacityProviders=["FARGATE", "FARGATE_SPOT"]),
        "LogGroup": _resource("AWS::Logs::LogGroup", LogGroupName=LOG_GROUP, RetentionInDays=_LOG_DAYS),
        "Repository": _resource("AWS::ECR::Repository", RepositoryName=CD_REPOSITORY, EmptyOnDelete=True),
    }


def _roles(said: dict[str, str], region: str) -> dict[str, Any]:
    made = {
        role: _resource(
            "AWS::IAM::Role", Path=f"/defang/{region}/", AssumeRolePolicyDocument=tasks_of(said["Account"]),
            Policies=[{"PolicyName": name, "PolicyDocument": policy(name, said)}],
        )
        for name, role in ROLES.items()
    }  # fmt: skip
    for name, resource, roles in (
        ("boundary", "Boundary", ()),
        ("cdstores", "CdStores", ("CdRole",)),
        ("cdsites", "CdSites", ("CdRole",)),
    ):
        made[resource] = _resource(
            "AWS::IAM::ManagedPolicy", tagged=False, ManagedPolicyName=name, Path=f"/defang/{region}/",
            PolicyDocument=policy(name, said), Roles=[{"Ref": role} for role in roles],
        )  # fmt: skip
    return made


def _bucket(name: str, partition: str) -> dict[str, Any]:
    where = [f"arn:{partition}:s3:::{name}", f"arn:{partition}:s3:::{name}/*"]
    tls = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": where,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    bucket = _resource(
        "AWS::S3::Bucket",
        BucketName=name,
        VersioningConfiguration={"Status": "Enabled"},
        BucketEncryption={
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True,
        },
        LifecycleConfiguration={
            "Rules": [
                {"Id": "old-versions", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                 "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
            ]
        },
    )  # fmt: skip
    bucket |= {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    rule = _resource(
        "AWS::S3::BucketPolicy",
        tagged=False,
        Bucket={"Ref": "Bucket"},
        PolicyDocument={"Version": "2012-10-17", "Statement": [tls]},
    )
    return {"Bucket": bucket, "BucketPolicy": rule | {"DeletionPolicy": "Retain"}}

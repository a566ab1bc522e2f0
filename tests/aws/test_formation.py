"""CloudFormation stacks are made, changed, rolled back and deleted step by step, as AWS does it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.account import Yard
from tests.aws.handle import until

BUCKET = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "RetainExceptOnCreate", "Properties": {"BucketName": "kept"}}
NETWORK = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}
GROUP = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g", "VpcId": {"Ref": "Network"}}}


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources, "Outputs": {"Network": {"Value": {"Ref": "Network"}}}})


def status(yard: Yard, name: str = "base") -> str:
    [found] = yard.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(found["StackStatus"])


def events(yard: Yard, name: str = "base") -> list[tuple[str, str]]:
    found = yard.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return [(each["LogicalResourceId"], each["ResourceStatus"]) for each in reversed(found)]


def test_a_stack_is_made_step_by_step_changed_and_deleted_but_for_what_is_kept(yard: Yard) -> None:
    formation, s3 = yard.client("cloudformation"), yard.client("s3")
    yard.simulation.pace(30)
    formation.create_stack(StackName="slow", TemplateBody=template(Network=NETWORK))
    assert status(yard, "slow") == "CREATE_IN_PROGRESS"
    assert formation.describe_stack_resources(StackName="slow")["StackResources"] == []
    with pytest.raises(ClientError, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        formation.update_stack(StackName="slow", TemplateBody=template(Network=NETWORK, Bucket=BUCKET))

    yard.simulation.pace(0.01)
    formation.create_stack(StackName="base", TemplateBody=template(Group=GROUP, Bucket=BUCKET, Network=NETWORK))
    until(lambda: status(yard) == "CREATE_COMPLETE")
    told = events(yard)
    assert told.index(("Network", "CREATE_COMPLETE")) < told.index(("Group", "CREATE_IN_PROGRESS"))
    assert formation.describe_stacks(StackName="base")["Stacks"][0]["Outputs"][0]["OutputValue"].startswith("vpc-")
    with pytest.raises(ClientError, match="AlreadyExists"):
        formation.create_stack(StackName="base", TemplateBody=template(Network=NETWORK))

    formation.update_stack(StackName="base", TemplateBody=template(Bucket=BUCKET, Network=NETWORK))
    until(lambda: status(yard) == "UPDATE_COMPLETE")
    assert events(yard)[-2:] == [("Group", "DELETE_COMPLETE"), ("base", "UPDATE_COMPLETE")]

    stack = formation.describe_stacks(StackName="base")["Stacks"][0]["StackId"]
    formation.delete_stack(StackName="base")
    until(lambda: status(yard, stack) == "DELETE_COMPLETE")
    assert ("Bucket", "DELETE_SKIPPED") in events(yard, stack)
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["kept"]
    with pytest.raises(ClientError, match="does not exist"):
        status(yard)


def test_what_fails_is_rolled_back_and_says_why(yard: Yard) -> None:
    formation = yard.client("cloudformation")
    yard.simulation.pace(0.01)
    yard.simulation.fail_in_stacks(Group="The maximum number of VPCs has been reached.")
    formation.create_stack(StackName="base", TemplateBody=template(Group=GROUP, Bucket=BUCKET, Network=NETWORK))
    until(lambda: status(yard) == "ROLLBACK_COMPLETE")
    found = formation.describe_stack_events(StackName="base")["StackEvents"]
    [failed] = [each for each in found if each["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["ResourceStatusReason"] == "The maximum number of VPCs has been reached."
    assert yard.client("s3").list_buckets()["Buckets"] == []
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        formation.update_stack(StackName="base", TemplateBody=template(Network=NETWORK))
    formation.delete_stack(StackName="base")
    until(lambda: "base" not in [each["StackName"] for each in formation.describe_stacks()["Stacks"]])


def test_what_is_in_use_can_not_be_deleted(yard: Yard) -> None:
    formation = yard.client("cloudformation")
    yard.simulation.pace(0.01)
    formation.create_stack(StackName="base", TemplateBody=template(Group=GROUP, Network=NETWORK))
    until(lambda: status(yard) == "CREATE_COMPLETE")
    found = formation.describe_stack_resources(StackName="base")["StackResources"]
    group = next(each["PhysicalResourceId"] for each in found if each["LogicalResourceId"] == "Group")
    used = yard.client("ec2").create_network_interface(SubnetId=yard.subnets[0], Groups=[group])["NetworkInterface"]
    formation.delete_stack(StackName="base")
    until(lambda: status(yard) == "DELETE_FAILED")
    yard.client("ec2").delete_network_interface(NetworkInterfaceId=used["NetworkInterfaceId"])
    formation.delete_stack(StackName="base")
    until(lambda: "base" not in [each["StackName"] for each in formation.describe_stacks()["Stacks"]])

"""Tasks go through their states by themselves, as ECS has them."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.aws.account import Yard
from tests.aws.handle import until


def test_a_task_goes_through_its_states_by_itself_and_describing_drives_nothing(yard: Yard) -> None:
    yard.simulation.pace(60)
    arn = yard.run(yard.define("job"))
    for _ in range(5):
        assert yard.task(arn)["lastStatus"] == "PROVISIONING"
    yard.simulation.pace(0.02)
    arn = yard.run("job")
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it)
    assert (done["stopCode"], done["containers"][0]["exitCode"]) == ("EssentialContainerExited", 0)
    assert done["createdAt"] <= done["startedAt"] <= done["stoppedAt"]


def test_what_a_job_does_is_said_beforehand_and_its_log_is_in_cloudwatch(yard: Yard) -> None:
    yard.simulation.behaviours({"match": "job", "exit_code": 3, "lines": ["one", "two"]})
    arn = yard.run(yard.define("job"))
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it)
    assert done["containers"][0]["exitCode"] == 3
    assert yard.messages(f"job/job/{arn.split('/')[-1]}") == ["one", "two"]


def test_a_task_with_a_public_address_is_found_by_its_network_interface_which_goes_with_it(yard: Yard) -> None:
    yard.simulation.behaviours({"match": "cd"})
    arn = yard.run(yard.define("cd"))
    running = until(lambda: (it := yard.task(arn))["lastStatus"] == "RUNNING" and it)
    [attachment] = running["attachments"]
    [interface] = [each["value"] for each in attachment["details"] if each["name"] == "networkInterfaceId"]
    [found] = yard.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    assert found["Association"]["PublicIp"].startswith("127.")
    yard.client("ecs").stop_task(cluster=yard.cluster, task=arn, reason="enough")
    ended = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it)
    assert (ended["stoppedReason"], ended["stopCode"]) == ("enough", "UserInitiated")
    assert yard.client("ec2").describe_network_interfaces()["NetworkInterfaces"] == []
    listed = yard.client("ecs").list_tasks(cluster=yard.cluster, desiredStatus="STOPPED")["taskArns"]
    assert listed == [arn]


def test_one_client_token_runs_one_task(yard: Yard) -> None:
    definition = yard.define("job")
    first, again, other = (yard.run(definition, clientToken=token) for token in ("a", "a", "b"))
    assert first == again != other


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1"}, "CannotPullContainerError"),
        ({"secrets": [{"name": "KEY", "valueFrom": "/Defang/shop/KEY"}]}, "invalid parameters: /Defang/shop/KEY"),
        ({"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "none"}}}, "log group does not exist"),
    ],
)
def test_what_can_not_be_started_says_why(yard: Yard, container: dict[str, object], said: str) -> None:
    arn = yard.run(yard.define("web", **container))
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it)
    assert done["stopCode"] == "TaskFailedToStart"
    assert said in done["stoppedReason"]


def test_a_build_leaves_an_image_in_the_registry(yard: Yard) -> None:
    yard.client("ecr").create_repository(repositoryName="shop/web")
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1"
    arn = yard.run(yard.define("kaniko", command=[f"--destination={image}"]))
    until(lambda: yard.task(arn)["lastStatus"] == "STOPPED")
    found = yard.client("ecr").describe_images(repositoryName="shop/web", imageIds=[{"imageTag": "1"}])
    assert found["imageDetails"][0]["imageDigest"].startswith("sha256:")


def test_sizes_that_fargate_lacks_are_refused(yard: Yard) -> None:
    with pytest.raises(ClientError, match="No Fargate configuration exists"):
        yard.client("ecs").register_task_definition(
            family="web", requiresCompatibilities=["FARGATE"], cpu="256", memory="8192", containerDefinitions=[]
        )


def test_a_task_definition_of_a_template_keeps_all_that_it_says(yard: Yard) -> None:
    logs = {"LogDriver": "awslogs", "Options": {"awslogs-group": "yard"}}
    container = {"Name": "cd", "Image": "busybox", "LogConfiguration": logs, "PortMappings": [{"ContainerPort": 5000}]}
    properties = {
        "Family": "cd", "Cpu": "512", "Memory": "1024", "NetworkMode": "awsvpc", "RequiresCompatibilities": ["FARGATE"],
        "TaskRoleArn": "arn:aws:iam::123456789012:role/cd", "ContainerDefinitions": [container],
    }  # fmt: skip
    template = {"Resources": {"Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": properties}}}
    yard.client("cloudformation").create_stack(StackName="it", TemplateBody=json.dumps(template))
    until(lambda: yard.client("cloudformation").describe_stacks()["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
    found = yard.client("ecs").describe_task_definition(taskDefinition="cd")["taskDefinition"]
    assert (found["cpu"], found["memory"], found["networkMode"]) == ("512", "1024", "awsvpc")
    assert found["taskRoleArn"].endswith("role/cd")
    assert found["containerDefinitions"][0]["portMappings"][0]["containerPort"] == 5000
    assert found["containerDefinitions"][0]["logConfiguration"]["options"] == {"awslogs-group": "yard"}

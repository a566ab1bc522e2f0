"""Tasks that are run as processes: with their role's credentials, their secrets, their log, and an address of their own."""

from __future__ import annotations

import json
from urllib.request import urlopen

import pytest

from tests.aws.account import Yard
from tests.aws.handle import ACCOUNT, until

pytestmark = pytest.mark.e2e

CODE = """
import boto3, os, urllib.request
print("identity", boto3.client("sts").get_caller_identity()["Arn"])
print("secrets", os.environ["PLAIN"], os.environ["FROM_SSM"], os.environ["FROM_MANAGER"])
print("own", urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task").read().decode())
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
print("here", flush=True)
while True: time.sleep(0.05)
"""


def test_a_task_has_its_role_its_secrets_and_its_log(yard: Yard) -> None:
    yard.simulation.runners(("^job$", "process"))
    yard.client("ssm").put_parameter(Name="/Defang/KEY", Value="one", Type="SecureString")
    secret = yard.client("secretsmanager").create_secret(Name="keys", SecretString=json.dumps({"key": "two"}))["ARN"]
    yard.client("iam").create_role(RoleName="cd", AssumeRolePolicyDocument="{}")
    definition = yard.define(
        "job",
        command=["python3", "-c", CODE],
        environment=[{"name": "PLAIN", "value": "zero"}],
        secrets=[{"name": "FROM_SSM", "valueFrom": "/Defang/KEY"}, {"name": "FROM_MANAGER", "valueFrom": f"{secret}:key::"}],
    )
    arn = yard.run(definition, overrides={"taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/cd"})
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it)
    said = yard.messages("job")
    assert done["containers"][0]["exitCode"] == 0, said
    assert said[0].startswith(f"identity arn:aws:sts::{ACCOUNT}:assumed-role/cd/")
    assert said[1] == "secrets zero one two"
    assert json.loads(said[2].removeprefix("own "))["TaskARN"] == arn


def test_what_does_not_end_when_asked_is_killed(yard: Yard) -> None:
    yard.simulation.runners(("^job$", "process"))
    arn = yard.run(yard.define("job", command=["python3", "-c", STUBBORN], stopTimeout=1))
    until(lambda: "here" in yard.messages("job"))
    yard.client("ecs").stop_task(cluster=yard.cluster, task=arn)
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it)
    assert done["containers"][0]["exitCode"] == 137
    assert yard.messages("job") == ["here", "no"]


def test_each_listens_at_an_address_of_its_own(yard: Yard) -> None:
    yard.simulation.runners(("^web$", "process"))
    definition = yard.define("web", command=["python3", "-m", "http.server", "8099"])
    arns = [yard.run(definition) for _ in range(2)]
    for arn in arns:
        running = until(lambda arn=arn: (it := yard.task(arn))["lastStatus"] == "RUNNING" and it)
        details = {each["name"]: each["value"] for each in running["attachments"][0]["details"]}
        found = yard.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
        address = found["NetworkInterfaces"][0]["Association"]["PublicIp"]
        until(lambda address=address: _answers(f"http://{address}:8099/"))


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False

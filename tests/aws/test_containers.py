"""Tasks that are containers of a real engine: services behind a load balancer, names between them, and Kaniko's builds."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.aws.account import Yard
from tests.aws.handle import ACCOUNT, REGION, until

pytestmark = pytest.mark.e2e

ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
LONG = 120


def get(url: str) -> str:
    try:
        with urlopen(url, timeout=10) as answer:
            return str(answer.read().decode().strip())
    except HTTPError as refused:
        with refused:
            return str(refused.code)
    except OSError as problem:
        return repr(problem)


def web(text: str) -> list[str]:
    return ["sh", "-c", f"mkdir -p /www; echo {text} > /www/index.html; echo serving; exec httpd -f -p 8080 -h /www"]


def front(group: str, name: str) -> list[dict[str, Any]]:
    return [{"targetGroupArn": group, "containerName": name, "containerPort": 8080}]


def test_a_service_behind_a_load_balancer_is_rolled_over_with_no_request_lost(real_yard: Yard) -> None:
    yard, simulation = real_yard, real_yard.simulation
    balancer, group = yard.balancer()
    yard.client("elbv2").modify_target_group(TargetGroupArn=group, HealthCheckIntervalSeconds=5, UnhealthyThresholdCount=2)
    yard.serve("web", yard.define("web", command=web("one"), stopTimeout=2), loadBalancers=front(group, "web"))
    [found] = yard.client("elbv2").describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]
    assert until(lambda: yard.rollout("web") != "IN_PROGRESS" and yard.rollout("web"), seconds=LONG) == "COMPLETED"
    address = simulation.address_of(found["DNSName"])
    assert get(address) == "one"
    assert simulation.get(f"http://{found['DNSName']}/") == (200, "one\n")
    assert yard.messages("web") == ["serving"]

    second = yard.define("web", command=web("two"), stopTimeout=2)
    yard.client("ecs").update_service(cluster=yard.cluster, service="web", taskDefinition=second)
    said = []
    while yard.rollout("web") != "COMPLETED":
        said.append(get(address))
    assert set(said) <= {"one", "two"}
    assert get(address) == "two"

    bad = yard.define("web", command=["sh", "-c", "echo no such table; sleep 1; exit 3"])
    yard.client("ecs").update_service(cluster=yard.cluster, service="web", taskDefinition=bad)
    until(
        lambda: yard.service("web")["deployments"][0]["rolloutStateReason"].startswith("ECS deployment circuit"), seconds=LONG
    )
    until(lambda: yard.rollout("web") == "COMPLETED", seconds=LONG)
    assert get(address) == "two"
    assert "no such table" in yard.messages("web")
    yard.client("ecs").update_service(cluster=yard.cluster, service="web", desiredCount=0)
    until(lambda: get(address) == "503", seconds=LONG)


def test_rules_choose_among_services_by_host_and_path(real_yard: Yard) -> None:
    yard = real_yard
    elb = yard.client("elbv2")
    balancer, group = yard.balancer()
    [listener] = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    groups = {"shop": group}
    for number, (name, field, value) in enumerate(
        (("api", "path-pattern", "/api/*"), ("blog", "host-header", "blog.example.com"))
    ):
        made = elb.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=yard.vpc, TargetType="ip", HealthCheckPath="/"
        )
        groups[name] = made["TargetGroups"][0]["TargetGroupArn"]
        elb.create_rule(
            ListenerArn=listener["ListenerArn"],
            Priority=number + 1,
            Conditions=[{"Field": field, "Values": [value]}],
            Actions=[{"Type": "forward", "TargetGroupArn": groups[name]}],
        )
    for name, its in groups.items():
        text = f"mkdir -p /www/api; echo {name} | tee /www/index.html > /www/api/x; exec httpd -f -p 8080 -h /www"
        yard.serve(name, yard.define(name, command=["sh", "-c", text], stopTimeout=1), loadBalancers=front(its, name))
    for name in groups:
        until(lambda name=name: yard.rollout(name) == "COMPLETED", seconds=LONG)
    address = yard.simulation.address_of(elb.describe_load_balancers()["LoadBalancers"][0]["DNSName"])
    assert (get(f"{address}/"), get(f"{address}/api/x")) == ("shop", "api")
    assert yard.simulation.get("http://blog.example.com/") == (200, "blog\n")


def test_services_find_each_other_by_the_names_of_their_namespace(real_yard: Yard) -> None:
    yard = real_yard
    names = yard.client("servicediscovery")
    names.create_private_dns_namespace(Name="shop.prod.internal", Vpc=yard.vpc)
    [namespace] = names.list_namespaces()["Namespaces"]
    dns = {"DnsRecords": [{"Type": "A", "TTL": 10}]}
    known = names.create_service(Name="db", NamespaceId=namespace["Id"], DnsConfig=dns)["Service"]
    yard.serve("db", yard.define("db", command=web("rows"), stopTimeout=1), serviceRegistries=[{"registryArn": known["Arn"]}])
    until(lambda: yard.rollout("db") == "COMPLETED", seconds=LONG)
    ask = ["sh", "-c", "wget -q -O - http://db.shop.prod.internal:8080/"]
    arn = yard.run(yard.define("ask", command=ask, environment=[{"name": "LOCALDOMAIN", "value": "shop.prod.internal"}]))
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it, seconds=LONG)
    assert (done["containers"][0]["exitCode"], yard.messages("ask")) == (0, ["rows"])


def test_kaniko_builds_from_the_bucket_into_the_registry_and_what_it_built_runs(real_yard: Yard) -> None:
    yard = real_yard
    s3, ecr = yard.client("s3"), yard.client("ecr")
    s3.create_bucket(Bucket="contexts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(
        Bucket="contexts",
        Key="shop/web.tar.gz",
        Body=packed({"Dockerfile": "FROM busybox\nRUN echo built > /it\nCMD cat /it\n"}),
    )
    ecr.create_repository(repositoryName="shop")
    context = "s3://contexts/shop/web.tar.gz"
    arguments = [f"--context={context}", f"--destination={ECR}/shop:web-1", "--digest-file=/kaniko/digest"]
    build = {"image": "ghcr.io/osscontainertools/kaniko:v1.28.3", "entryPoint": ["/kaniko/executor"]}
    arn = yard.run(yard.define("build", command=arguments, **build))
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it, seconds=LONG)
    assert done["containers"][0]["exitCode"] == 0, yard.messages("build")
    [image] = ecr.describe_images(repositoryName="shop")["imageDetails"]
    assert image["imageTags"] == ["web-1"]

    arn = yard.run(yard.define("run", image=f"{ECR}/shop@{image['imageDigest']}"))
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it, seconds=LONG)
    assert yard.messages("run") == ["built"], done
    ecr.batch_delete_image(repositoryName="shop", imageIds=[{"imageTag": "web-1"}])
    assert ecr.describe_images(repositoryName="shop")["imageDetails"] == []

    url = s3.generate_presigned_url("get_object", Params={"Bucket": "contexts", "Key": "shop/web.tar.gz"})
    arn = yard.run(yard.define("again", command=[f"--context={url}", f"--destination={ECR}/none:1"], **build))
    done = until(lambda: (it := yard.task(arn))["lastStatus"] == "STOPPED" and it, seconds=LONG)
    assert done["containers"][0]["exitCode"] == 1
    assert any("does not exist" in each for each in yard.messages("again")), yard.messages("again")


def packed(files: dict[str, str]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue())


def test_nothing_of_a_task_is_left_on_the_engine(real_yard: Yard, dockerd: Any) -> None:
    arn = real_yard.run(real_yard.define("job", command=["sh", "-c", "exit 5"]))
    done = until(lambda: (it := real_yard.task(arn))["lastStatus"] == "STOPPED" and it, seconds=LONG)
    assert done["containers"][0]["exitCode"] == 5
    real_yard.simulation.reset()
    with dockerd.client() as client:
        mine = {"label": "aws-simulation"}
        assert [*client.containers.list(all=True, filters=mine), *client.networks.list(filters=mine)] == []
    assert json.dumps(real_yard.simulation.problems()) == "[]"


POSTGRES = """
import socket, ssl, struct
def asked(tls):
    s = socket.create_connection((HOST, 5432))
    if tls:
        s.sendall(bytes.fromhex("0000000804d2162f")); assert s.recv(1) == b"S"
        s = ssl.create_default_context().wrap_socket(s, server_hostname=HOST)
    body = struct.pack(">i", 196608) + b"user\\0ada\\0database\\0shop\\0\\0"
    s.sendall(struct.pack(">i", len(body) + 4) + body)
    kind, _, code = struct.unpack(">cii", s.recv(9))
    print(kind, code)
asked(False); asked(True)
"""
REDIS = """
import socket, ssl
s = ssl.create_default_context().wrap_socket(socket.create_connection((HOST, 6379)), server_hostname=HOST)
s.sendall(b"AUTH a-long-enough-token\\r\\nSET a 1\\r\\nGET a\\r\\n"); print(s.recv(99).split())
"""


def test_managed_stores_answer_at_their_endpoints(real_yard: Yard) -> None:
    yard = real_yard
    rds, cache = yard.client("rds"), yard.client("elasticache")
    rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="g", SubnetIds=yard.subnets)
    cache.create_cache_subnet_group(CacheSubnetGroupName="g", CacheSubnetGroupDescription="g", SubnetIds=yard.subnets)
    db = {"DBInstanceIdentifier": "db", "Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
    rds.create_db_instance(**db, MasterUsername="ada", MasterUserPassword="lovelace", DBName="shop", DBSubnetGroupName="g")
    group = {"ReplicationGroupId": "c", "ReplicationGroupDescription": "c", "CacheSubnetGroupName": "g"}
    cache.create_replication_group(**group, AuthToken="a-long-enough-token", TransitEncryptionEnabled=True)

    def available() -> bool:
        return (
            rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available"
            and cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available"
        )

    until(lambda: available() or yard.simulation.problems(), seconds=LONG)
    assert yard.simulation.problems() == []
    endpoint = rds.describe_db_instances()["DBInstances"][0]["Endpoint"]["Address"]
    primary = cache.describe_replication_groups()["ReplicationGroups"][0]["NodeGroups"][0]["PrimaryEndpoint"]["Address"]
    for name, host, code, said in (
        ("pg", endpoint, POSTGRES, ["b'R' 10", "b'R' 10"]),  # it asks for a password by SCRAM
        ("redis", primary, REDIS, ["[b'+OK', b'+OK', b'$1', b'1']"]),
    ):
        command = ["python3", "-c", f"HOST = {host!r}\n{code}"]
        arn = yard.run(yard.define(name, image="python:3.12-slim", command=command))
        until(lambda arn=arn: yard.task(arn)["lastStatus"] == "STOPPED", seconds=LONG)
        assert yard.messages(name) == said

"""Services roll, settle, fail and roll back as ECS's do; and what is in use can't be deleted."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.aws.account import Yard
from tests.aws.handle import until


def test_a_service_comes_to_its_count_and_a_change_rolls_it_over(yard: Yard) -> None:
    first = yard.define("web")
    begun = yard.serve("web", first, count=2)
    assert begun["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    until(lambda: yard.rollout("web") == "COMPLETED")
    assert yard.service("web")["runningCount"] == 2
    assert any("steady state" in each["message"] for each in yard.service("web")["events"])

    yard.client("ecs").update_service(cluster=yard.cluster, service="web", desiredCount=3)
    assert len(yard.service("web")["deployments"]) == 1
    until(lambda: yard.service("web")["runningCount"] == 3)
    until(lambda: "steady" in yard.service("web")["events"][0]["message"])

    second = yard.define("web")
    changed = yard.client("ecs").update_service(cluster=yard.cluster, service="web", taskDefinition=second)["service"]
    assert [each["taskDefinition"] for each in changed["deployments"]] == [second, first]
    looks = [yard.service("web")]
    while looks[-1]["deployments"][0]["rolloutState"] != "COMPLETED":
        looks.append(yard.service("web"))
    assert min(each["runningCount"] for each in looks) == 3
    assert [each["taskDefinition"] for each in yard.service("web")["deployments"]] == [second]


def test_a_deployment_that_fails_is_rolled_back_by_the_circuit_breaker(yard: Yard) -> None:
    good = yard.define("web")
    yard.serve("web", good)
    until(lambda: yard.rollout("web") == "COMPLETED")
    yard.simulation.pace(0.02)
    yard.simulation.behaviours({"match": "bad", "exit_code": 1, "lines": ["no such database"]})
    yard.client("ecs").update_service(cluster=yard.cluster, service="web", taskDefinition=yard.define("web", image="bad"))
    until(lambda: "rolling back" in yard.service("web")["deployments"][0]["rolloutStateReason"])
    until(lambda: yard.rollout("web") == "COMPLETED")
    assert yard.service("web")["taskDefinition"] == good
    assert "no such database" in yard.messages("web")


def test_a_first_deployment_that_fails_stays_so(yard: Yard) -> None:
    yard.simulation.pace(0.02)
    yard.simulation.behaviours({"match": "web", "health": "UNHEALTHY"})
    yard.serve("web", yard.define("web", healthCheck={"command": ["CMD", "true"]}))
    until(lambda: yard.rollout("web") == "FAILED")
    stopped = yard.client("ecs").list_tasks(cluster=yard.cluster, serviceName="web", desiredStatus="STOPPED")["taskArns"]
    assert yard.task(stopped[0])["stoppedReason"] == "Task failed container health checks"


def test_targets_follow_tasks(yard: Yard) -> None:
    balancer, group = yard.balancer()
    front = [{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}]
    yard.serve("web", yard.define("web"), count=2, loadBalancers=front)

    def states() -> list[str]:
        found = yard.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        assert {each["Target"]["Port"] for each in found} <= {8080}
        return [each["TargetHealth"]["State"] for each in found]

    until(lambda: states() == ["healthy", "healthy"])
    until(lambda: yard.rollout("web") == "COMPLETED")
    with pytest.raises(ClientError, match="DependencyViolation"):
        yard.client("ec2").delete_security_group(GroupId=yard.group)
    with pytest.raises(ClientError, match="DependencyViolation"):
        yard.client("ec2").delete_subnet(SubnetId=yard.subnets[0])
    with pytest.raises(ClientError, match="ClusterContainsServices"):
        yard.client("ecs").delete_cluster(cluster=yard.cluster)
    with pytest.raises(ClientError, match="scaled above 0"):
        yard.client("ecs").delete_service(cluster=yard.cluster, service="web")
    yard.client("ecs").delete_service(cluster=yard.cluster, service="web", force=True)
    until(lambda: yard.service("web")["status"] == "INACTIVE")
    until(lambda: states() == [])
    yard.client("elbv2").delete_load_balancer(LoadBalancerArn=balancer)
    yard.client("ec2").delete_security_group(GroupId=yard.group)
    yard.client("ec2").delete_subnet(SubnetId=yard.subnets[0])
    yard.client("ecs").delete_cluster(cluster=yard.cluster)


def test_a_load_balancer_takes_its_time_and_names_are_kept_while_they_are_used(yard: Yard) -> None:
    balancer, _ = yard.balancer()
    elb, known = yard.client("elbv2"), yard.client("servicediscovery")

    def state() -> str:
        return str(elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]["State"]["Code"])

    assert state() == "provisioning"
    known.create_private_dns_namespace(Name="shop.internal", Vpc=yard.vpc)
    [namespace] = known.list_namespaces()["Namespaces"]
    dns = {"DnsRecords": [{"Type": "A", "TTL": 10}]}
    name = known.create_service(Name="db", NamespaceId=namespace["Id"], DnsConfig=dns)["Service"]
    yard.serve("db", yard.define("db"), serviceRegistries=[{"registryArn": name["Arn"]}])
    until(lambda: known.list_instances(ServiceId=name["Id"])["Instances"])
    with pytest.raises(ClientError, match="ResourceInUse"):
        known.delete_service(Id=name["Id"])
    yard.client("ecs").delete_service(cluster=yard.cluster, service="db", force=True)
    until(lambda: not known.list_instances(ServiceId=name["Id"])["Instances"])
    with pytest.raises(ClientError, match="ResourceInUse"):
        known.delete_namespace(Id=namespace["Id"])
    known.delete_service(Id=name["Id"])
    known.delete_namespace(Id=namespace["Id"])
    until(lambda: state() == "active")


def test_what_makes_a_second_one_is_refused(yard: Yard) -> None:
    definition = yard.define("web")
    yard.serve("web", definition, clientToken="a")
    yard.serve("web", definition, clientToken="a")
    with pytest.raises(ClientError, match="not idempotent"):
        yard.serve("web", definition, clientToken="b")
    first, _ = yard.balancer()
    elb = yard.client("elbv2")
    same = elb.create_load_balancer(Name="front", Subnets=yard.subnets, SecurityGroups=[yard.group])
    assert same["LoadBalancers"][0]["LoadBalancerArn"] == first
    with pytest.raises(ClientError, match="DuplicateLoadBalancerName"):
        elb.create_load_balancer(Name="front", Subnets=yard.subnets[:1], SecurityGroups=[yard.group])
    lonely = elb.create_target_group(Name="lonely", Protocol="HTTP", Port=80, VpcId=yard.vpc, TargetType="ip")
    arn = lonely["TargetGroups"][0]["TargetGroupArn"]
    with pytest.raises(ClientError, match="does not have an associated load balancer"):
        yard.serve("other", definition, loadBalancers=[{"targetGroupArn": arn, "containerName": "web", "containerPort": 80}])


def test_stores_take_their_time(yard: Yard) -> None:
    rds, cache = yard.client("rds"), yard.client("elasticache")
    yard.simulation.pace(0.2)  # two seconds, so that a busy machine sees them being made
    db = {"DBInstanceIdentifier": "db", "Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
    rds.create_db_instance(**db, MasterUsername="postgres", MasterUserPassword="password")
    cache.create_replication_group(ReplicationGroupId="c", ReplicationGroupDescription="c", Engine="valkey")

    def states() -> set[str]:
        return {
            rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"],
            cache.describe_replication_groups()["ReplicationGroups"][0]["Status"],
        }

    assert states() == {"creating"}
    until(lambda: states() == {"available"})

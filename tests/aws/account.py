"""The least that ECS needs to run something, made by plain calls: a network, a cluster, a log group, a load balancer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.aws.handle import Simulation


@dataclass
class Yard:
    """An account, and short words for what tests do in it."""

    simulation: Simulation
    cluster: str = "yard"
    subnets: list[str] = field(default_factory=list)
    group: str = ""
    vpc: str = ""

    def client(self, service: str) -> Any:
        return self.simulation.client(service)

    @property
    def network(self) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.group], "assignPublicIp": "ENABLED"}}

    def prepare(self) -> Yard:
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for number in (0, 1):
            made = ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"eu-central-1{'ab'[number]}"
            )
            self.subnets.append(made["Subnet"]["SubnetId"])
        self.group = ec2.create_security_group(GroupName="yard", Description="yard", VpcId=self.vpc)["GroupId"]
        self.client("ecs").create_cluster(clusterName=self.cluster)
        self.client("logs").create_log_group(logGroupName="yard")
        return self

    def define(self, family: str, **more: Any) -> str:
        """Register a task definition of one container of that name; its ARN."""
        logs = {"awslogs-group": "yard", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": family}
        container = {"name": family, "image": "busybox", "logConfiguration": {"logDriver": "awslogs", "options": logs}} | more
        made = self.client("ecs").register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[container],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def run(self, definition: str, **more: Any) -> str:
        """Run a task of it; its ARN."""
        made = self.client("ecs").run_task(
            cluster=self.cluster, taskDefinition=definition, launchType="FARGATE", networkConfiguration=self.network, **more
        )
        return str(made["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        [found] = self.client("ecs").describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"]
        return dict(found)

    def serve(self, name: str, definition: str, count: int = 1, **more: Any) -> dict[str, Any]:
        """Begin a service; it as it was then."""
        breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
        made = self.client("ecs").create_service(
            cluster=self.cluster,
            serviceName=name,
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=self.network,
            deploymentConfiguration=breaker,
            **more,
        )
        return dict(made["service"])

    def service(self, name: str) -> dict[str, Any]:
        [found] = self.client("ecs").describe_services(cluster=self.cluster, services=[name])["services"]
        return dict(found)

    def rollout(self, name: str) -> str:
        return str(self.service(name)["deployments"][0]["rolloutState"])

    def balancer(self, name: str = "front", port: int = 80) -> tuple[str, str]:
        """A load balancer that sends all requests to one target group: the ARNs of both."""
        elb = self.client("elbv2")
        made = elb.create_load_balancer(Name=name, Subnets=self.subnets, SecurityGroups=[self.group])["LoadBalancers"][0]
        group = elb.create_target_group(Name=name, Protocol="HTTP", Port=port, VpcId=self.vpc, TargetType="ip")["TargetGroups"][
            0
        ]
        forward = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[forward])
        return made["LoadBalancerArn"], group["TargetGroupArn"]

    def messages(self, stream: str) -> list[str]:
        events = self.client("logs").filter_log_events(logGroupName="yard", logStreamNamePrefix=stream)["events"]
        return [each["message"] for each in events]

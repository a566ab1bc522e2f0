"""`aws:ecs/Service`: a Compose service as an ECS service on Fargate.

ECS itself replaces tasks (new ones are well before old ones go), and goes back when new ones don't get well. Here it is only
told what is wanted, and watched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import DefangError, DeploymentFailedError
from defang_nb.model.events import ServiceChanged, ServiceState
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.types import last
from defang_nb.providers.aws.types.base import Together, chunks, ignoring, is_ours
from defang_nb.providers.aws.types.elb import read
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.providers.aws.types.tasks import container
from defang_nb.provision.ports import LIVE_INPUTS, ApiClass, Made, Operation, TransientError, Waiting

MANY = 10
"""So many services, or tasks, in one call that describes them."""
PATIENCE = 1800.0
"""Seconds after which a service that neither got well nor failed is given up: AWS may have no capacity for it."""
_SHOWS = 15.0
"""Seconds after which what was asked for is seen by all who look."""
_GONE = ("ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException")
_TAKEN, _LEAVING = "not idempotent", "still Draining"
"""What ECS says where a service of that name is there. It has one code for all that is wrong with a service."""
_SOON = ("does not have an associated load balancer", "service linked role", "Unable to assume role")
"""What it says of something that was made a moment ago, and is not known everywhere."""


class ServiceType(TaggedType):
    """Inputs: see `compile`. Outputs: `name`, `arn`, `endpoints`."""

    name = kinds.SERVICE
    resource = "ecs:service"
    replace_on = frozenset({"cluster"})
    api = ApiClass("aws services", 32)

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        super().__init__(account, base, stack)
        self._leaving = Together(self._there)
        self._told: dict[str, str] = {}

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        wanted = {
            key: value for part in (_task, _count, _capacity, _network, _front) for key, value in part(urn, inputs).items()
        }

        async def make() -> Answer:
            return await self.account.call(
                "ecs",
                "create_service",
                cluster=inputs["cluster"],
                serviceName=self.called(urn),
                clientToken=operation.token[:36],
                deploymentConfiguration=_deployment(inputs),
                enableECSManagedTags=True,
                enableExecuteCommand=True,
                propagateTags="SERVICE",
                tags=self.pairs(urn, "key", "value"),
                **wanted,
            )

        try:
            made = self.made(urn, await make())
        except AwsError as error:
            if _LEAVING in error.message:  # one of this name was deleted, and its last tasks still stop
                await self._leaving.gone(self.called(urn))
                made = self.made(urn, await make())
            elif any(sign in error.message for sign in _SOON):
                raise TransientError(error.message, after=2.0, refused=True) from None
            elif _TAKEN in error.message and (found := await self.find(urn)) is not None:
                made = found
            else:
                raise
        return Made(id=made.id, outputs={**made.outputs, "endpoints": inputs["endpoints"]})

    async def update(self, operation: Operation) -> Made:
        """Only what differs is said: to say the rest again would start all tasks anew.

        How many there are is autoscaling's business, where a service has that.
        """
        urn, inputs, previous = operation.resource.urn, operation.resource.inputs, operation.previous
        before = previous.inputs if previous else {}
        parts = (_task, _network, _front) if inputs["autoscaled"] else (_task, _count, _network, _front)
        changed = {key: value for part in parts for key, value in _changed(part, urn, before, inputs)}
        if _capacity(urn, inputs) != _capacity(urn, before):
            changed |= {**_capacity(urn, inputs), "forceNewDeployment": True}
        if _deployment(inputs) != _deployment(before):
            changed["deploymentConfiguration"] = _deployment(inputs)
        if not changed:
            changed = {"forceNewDeployment": True}  # it was asked for, or it never got well
        await self.account.call("ecs", "update_service", cluster=inputs["cluster"], service=self.called(urn), **changed)
        outputs = previous.outputs if previous else {}
        return Made(id=self.called(urn), outputs={**outputs, "endpoints": inputs["endpoints"]})

    async def find(self, urn: str) -> Made | None:
        name = self.called(urn)
        for each in await self._describe([name], tags=True):
            if each["status"] == "ACTIVE" and is_ours(self.tags(urn), each.get("tags", ()), "key", "value"):
                return self.made(urn, {"service": each})
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = {each["serviceName"]: each for each in await self._describe([each.id for each in recorded])}
        live = {name: each for name, each in found.items() if each["status"] == "ACTIVE"}
        return {
            each.urn: {**each.outputs, LIVE_INPUTS: _live(live[each.id], each.inputs)} if each.id in live else None
            for each in recorded
        }

    async def delete(self, recorded: Recorded) -> None:
        deleting = self.account.call("ecs", "delete_service", cluster=self.base.cluster, service=recorded.id, force=True)
        if await ignoring(_GONE, deleting) is not None:
            await self._leaving.gone(recorded.id)

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        """Ready: all tasks are of the wanted definition and well, and the load balancer answers."""
        live = {each["serviceName"]: each for each in await self._describe([each.made.id for each in waiting])}
        found: dict[str, Mapping[str, Json] | DefangError] = {}
        steady: list[Waiting] = []
        for each in waiting:
            service, urn = live.get(each.made.id), each.operation.resource.urn
            if service is None or service["status"] != "ACTIVE":
                found[urn] = DeploymentFailedError(f"{each.operation.resource.service} was deleted by somebody else")
                continue
            rollout = _rollout(service, each.operation.resource.inputs["task"], each.seconds)
            if rollout == "COMPLETED":
                steady.append(each)
            elif rollout == "FAILED" or each.seconds > PATIENCE:
                found[urn] = await self._failure(each, service)
            else:
                self._tell(each.operation, service)
        answering = await self._answering(steady)
        return found | {each.operation.resource.urn: each.made.outputs for each in steady if answering(each)}

    def made(self, urn: str, answer: Answer) -> Made:
        service = answer["service"]
        return Made(id=service["serviceName"], outputs={"name": service["serviceName"], "arn": service["serviceArn"]})

    def by_arn(self, arn: str) -> Known:
        name = arn.rpartition("/")[2]
        return Known(id=name, outputs={"name": name, "arn": arn}, inputs={"cluster": self.base.cluster})

    async def _answering(self, steady: Sequence[Waiting]) -> Any:
        """Which of them can be reached, as far as that hangs on the load balancer."""
        arns = sorted({arn for each in steady if (arn := each.operation.resource.inputs.get("balancer"))})
        found = await read(self.account, "describe_load_balancers", "LoadBalancerArns", "LoadBalancers", arns) if arns else []
        active = {each["LoadBalancerArn"] for each in found if each["State"]["Code"] != "provisioning"}
        return lambda each: not (arn := each.operation.resource.inputs.get("balancer")) or arn in active

    async def _failure(self, waiting: Waiting, service: Mapping[str, Any]) -> DefangError:
        """Why the last task of the wanted definition stopped; what ECS itself says, where there is none."""
        operation = waiting.operation
        name, wanted = operation.resource.service, operation.resource.inputs["task"]
        answer = await self.account.call(
            "ecs", "list_tasks", cluster=self.base.cluster, serviceName=waiting.made.id, desiredStatus="STOPPED"
        )
        tasks = await describe_tasks(self.account, self.base.cluster, answer["taskArns"][:100])
        ended = [each for each in tasks if each.get("taskDefinitionArn") == wanted]
        if ended:
            worst = max(ended, key=lambda each: str(each.get("stoppedAt") or each.get("createdAt") or ""))
            return await last.failure(self.account, self.stack, operation, worst, f"{name} did not become healthy")
        events = [each["message"] for each in service.get("events", ())[:3]]
        hint = "the newest of what ECS says: " + " | ".join(events) if events else ""
        return DeploymentFailedError(f"{name} did not become healthy in {waiting.seconds:.0f} s", hint=hint)

    def _tell(self, operation: Operation, service: Mapping[str, Any]) -> None:
        wanted = operation.resource.inputs["task"]
        new: Mapping[str, Any] = next(
            (each for each in service.get("deployments", ()) if each.get("taskDefinition") == wanted), {}
        )
        failed = f", {new['failedTasks']} failed" if new.get("failedTasks") else ""
        said = f"{new.get('runningCount', 0)} of {new.get('desiredCount', 0)} running{failed}"
        if self._told.get(operation.resource.urn) != said:
            self._told[operation.resource.urn] = said
            state = ServiceState.DEPLOYMENT_PENDING
            operation.emit(ServiceChanged(service=operation.resource.service, state=state, detail=said))

    async def _describe(self, services: Sequence[str], *, tags: bool = False) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        include = {"include": ["TAGS"]} if tags else {}
        for some in chunks(list(services), MANY):
            asked = self.account.call("ecs", "describe_services", cluster=self.base.cluster, services=list(some), **include)
            answer = await ignoring(_GONE, asked)
            found += answer["services"] if answer else []
        return found

    async def _there(self, services: Sequence[str]) -> list[str]:
        return [each["serviceName"] for each in await self._describe(services) if each["status"] != "INACTIVE"]


async def describe_tasks(account: Account, cluster: str, arns: Sequence[str], *, tags: bool = False) -> list[Mapping[str, Any]]:
    """Those of the tasks that ECS still knows: an hour after their end it forgets them."""
    found: list[Mapping[str, Any]] = []
    include = {"include": ["TAGS"]} if tags else {}
    for some in chunks(list(arns), 100):
        found += (await account.call("ecs", "describe_tasks", cluster=cluster, tasks=list(some), **include))["tasks"]
    return found


def network(inputs: Mapping[str, Json]) -> dict[str, Any]:
    """Public addresses: what leaves goes by the internet gateway, which costs nothing; nothing comes in but by the groups."""
    said = {"subnets": list(inputs["subnets"]), "securityGroups": list(inputs["groups"]), "assignPublicIp": "ENABLED"}
    return {"networkConfiguration": {"awsvpcConfiguration": said}}


def _changed(part: Any, urn: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> list[tuple[str, Any]]:
    old = part(urn, before) if "task" in before else {}  # without: it was found by its tags only
    return [(key, value) for key, value in part(urn, after).items() if old.get(key) != value]


def _task(urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
    return {"taskDefinition": inputs["task"]}


def _count(urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
    return {"desiredCount": inputs["replicas"]}


def _capacity(urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
    provider = "FARGATE_SPOT" if inputs.get("spot") else "FARGATE"
    return {"capacityProviderStrategy": [{"capacityProvider": provider, "weight": 1}]}


def _network(urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
    return network(inputs)


def _front(urn: str, inputs: Mapping[str, Json]) -> dict[str, Any]:
    """The load balancer's target groups, and the name in DNS. An empty list takes away what was there."""
    targets = [
        {"targetGroupArn": each["group"], "containerName": container(urn), "containerPort": each["port"]}
        for each in inputs["targets"]
    ]
    made: dict[str, Any] = {
        "loadBalancers": targets,
        "serviceRegistries": [{"registryArn": inputs["name"]}] if inputs.get("name") else [],
    }
    return made | ({"healthCheckGracePeriodSeconds": inputs["grace"]} if targets else {})


def _deployment(inputs: Mapping[str, Json]) -> dict[str, Any]:
    return {
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "minimumHealthyPercent": inputs.get("min_healthy"),
        "maximumPercent": inputs.get("max_percent"),
    }


def _live(service: Mapping[str, Any], said: Mapping[str, Json]) -> dict[str, Json]:
    """What others may have changed: the count (unless it follows the load), and the task definition."""
    live: dict[str, Json] = {"task": service["taskDefinition"]}
    return live if said.get("autoscaled") else live | {"replicas": service["desiredCount"]}


def _rollout(service: Mapping[str, Any], task: str, seconds: float) -> str:
    """COMPLETED, FAILED or IN_PROGRESS, of the wanted task definition, `seconds` after it was asked for."""
    deployments = service.get("deployments", ())
    primary: Mapping[str, Any] = next((each for each in deployments if each["status"] == "PRIMARY"), {})
    if primary.get("taskDefinition") != task:
        # ECS goes back to what ran before, as it gave the wanted one up; or what was just asked for does not show yet.
        given_up = any(each.get("taskDefinition") == task and each.get("rolloutState") == "FAILED" for each in deployments)
        return "FAILED" if given_up or seconds > _SHOWS else "IN_PROGRESS"
    if primary.get("rolloutState") == "FAILED":
        return "FAILED"
    settled = primary.get("runningCount") == primary.get("desiredCount") == service["desiredCount"]
    return "COMPLETED" if primary.get("rolloutState") == "COMPLETED" and settled else "IN_PROGRESS"

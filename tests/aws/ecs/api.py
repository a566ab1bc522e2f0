"""ECS's calls about tasks and services, answered from the world's own records in place of moto's.

moto's ignore client tokens and most parameters, never start a task for a service, and move a task with each look at it.
Clusters, task definitions and tags stay moto's; so do parameters' checks and IAM's, which come before.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import ECSException, ServiceNotFoundException
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends

from tests.aws.ecs.definition import check_size, from_template, updated
from tests.aws.ecs.service import ROLLING, Service
from tests.aws.ecs.task import Task
from tests.aws.ecs.world import World

Answer = ActionResult
Request = EC2ContainerServiceResponse
MOST_SERVICES = 10
MOST_TASKS = 100


class InvalidError(ECSException):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterException", message)


class Api:
    """Puts itself in the place of moto's methods."""

    def __init__(self, world: World) -> None:
        self._world = world
        own = [
            *("run_task", "describe_tasks", "list_tasks", "stop_task", "start_task"),
            *("create_service", "update_service", "delete_service", "describe_services", "list_services"),
            "delete_cluster",
        ]
        for name in own:
            setattr(Request, name, self._locked(getattr(self, name)))
        self._register = Request.register_task_definition
        Request.register_task_definition = self._locked(self.register_task_definition)
        # moto forgets most of what a template says of a task definition
        TaskDefinition.create_from_cloudformation_json = classmethod(from_template)
        TaskDefinition.update_from_cloudformation_json = classmethod(updated)
        # moto looks for a task to tag among its own
        EC2ContainerServiceBackend.list_tasks = lambda backend, *_, **__: [
            each for tasks in backend.tasks.values() for each in tasks.values()
        ]

    def _locked(self, answer: Any) -> Any:
        def method(request: Request) -> Answer:
            with self._world.lock:
                return answer(request)

        method.__name__ = answer.__name__
        return method

    # Tasks

    def run_task(self, request: Request) -> Answer:
        given = _given(request)
        backend, cluster, definition = _place(request, given)
        token = given.get("clientToken")
        if token and ("run", token) in self._world.tokens:
            known = [each for each in self._world.tokens["run", token] if each.task_arn in backend.tasks[cluster.name]]
            return Answer({"tasks": [each.describe() for each in known], "failures": []})
        _check_network(backend, given)
        overrides = {each["name"] for each in given.get("overrides", {}).get("containerOverrides", ())}
        _check_containers(definition, overrides)
        group = given.get("group") or f"family:{definition.family}"
        tasks = [
            self._world.run_task(backend, cluster, definition, group, given, tags=list(given.get("tags") or ()))
            for _ in range(int(given.get("count") or 1))
        ]
        if token:
            self._world.tokens["run", token] = tasks
        return Answer({"tasks": [each.describe() for each in tasks], "failures": []})

    def start_task(self, request: Request) -> Answer:
        raise InvalidError("No Container Instances were found in your cluster.")

    def describe_tasks(self, request: Request) -> Answer:
        given = _given(request)
        cluster = request.ecs_backend._get_cluster(given.get("cluster", "default"))
        if not 0 < len(given["tasks"]) <= MOST_TASKS:
            raise InvalidError(f"Tasks cannot be empty, nor more than {MOST_TASKS}.")
        known = _tasks(request, cluster)
        found = [known[each.split("/")[-1]] for each in given["tasks"] if each.split("/")[-1] in known]
        missing = [each for each in given["tasks"] if each.split("/")[-1] not in known]
        tags = "TAGS" in (given.get("include") or ())
        failures = [{"arn": each, "reason": "MISSING"} for each in missing]
        return Answer({"tasks": [each.describe(tags=tags) for each in found], "failures": failures})

    def list_tasks(self, request: Request) -> Answer:
        given = _given(request)
        cluster = request.ecs_backend._get_cluster(given.get("cluster", "default"))
        wanted = given.get("desiredStatus", "RUNNING")
        found = [
            each.task_arn
            for each in _tasks(request, cluster).values()
            if each.desired_status == wanted
            and given.get("family") in (None, each.definition.family)
            and given.get("startedBy") in (None, each.given.get("startedBy"), each.deployment)
            and (given.get("serviceName") is None or each.service == given["serviceName"].split("/")[-1])
        ]
        return Answer({"taskArns": found})

    def stop_task(self, request: Request) -> Answer:
        given = _given(request)
        cluster = request.ecs_backend._get_cluster(given.get("cluster", "default"))
        task = _tasks(request, cluster).get(given["task"].split("/")[-1])
        if task is None:
            raise InvalidError("The referenced task was not found.")
        task.stop(given.get("reason") or "Task stopped by user", "UserInitiated")
        return Answer({"task": task.describe()})

    # Services

    def create_service(self, request: Request) -> Answer:
        given = _given(request)
        backend, cluster, definition = _place(request, given)
        name, key = given["serviceName"], f"{cluster.name}:{given['serviceName']}"
        known: Service | None = backend.services.get(key)
        token = given.get("clientToken")
        if known is not None and known.status == "ACTIVE":
            if not token or self._world.tokens.get(("create", token)) is not known:
                raise InvalidError("Creation of service was not idempotent.")
            return Answer({"service": known.describe(self._world.tasks_of(known))})
        if known is not None and known.status == "DRAINING":
            raise InvalidError("Unable to Start a service that is still Draining.")
        _check_network(backend, given)
        _check_containers(definition, {each["containerName"] for each in given.get("loadBalancers") or ()})
        for each in given.get("loadBalancers") or ():
            _check_group(backend, each["targetGroupArn"])
        given = {**given, "taskDefinition": definition.arn}
        service = Service(backend.region_name, backend.account_id, cluster.name, cluster.arn, name, given)
        service.tags = list(given.get("tags") or ())
        service.roll(given)
        backend.services[key] = service
        if token:
            self._world.tokens["create", token] = service
        return Answer({"service": service.describe([])})

    def update_service(self, request: Request) -> Answer:
        given = _given(request)
        service = _service(request, given)
        if service.status != "ACTIVE":
            raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
        changes = {key: value for key, value in given.items() if key not in ("cluster", "service", "forceNewDeployment")}
        if "taskDefinition" in changes:
            changes["taskDefinition"] = request.ecs_backend.describe_task_definition(changes["taskDefinition"]).arn
        if "networkConfiguration" in changes:
            _check_network(request.ecs_backend, changes)
        for each in changes.get("loadBalancers") or ():
            _check_group(request.ecs_backend, each["targetGroupArn"])
        rolls = any(changes[key] != service.given.get(key) for key in ROLLING if key in changes)
        merged = {**service.given, **changes}
        if rolls or given.get("forceNewDeployment"):
            service.roll(merged)
        else:
            service.given = merged
            service.primary.given = merged
        return Answer({"service": service.describe(self._world.tasks_of(service))})

    def delete_service(self, request: Request) -> Answer:
        given = _given(request)
        service = _service(request, given)
        if service.desired_count > 0 and not given.get("force"):
            raise InvalidError("The service cannot be stopped while it is scaled above 0.")
        if service.status == "ACTIVE":
            service.status = "DRAINING"
            service.given = {**service.given, "desiredCount": 0}
        return Answer({"service": service.describe(self._world.tasks_of(service))})

    def describe_services(self, request: Request) -> Answer:
        given = _given(request)
        cluster = request.ecs_backend._get_cluster(given.get("cluster", "default"))
        if not 0 < len(given["services"]) <= MOST_SERVICES:
            raise InvalidError(f"Services cannot be empty, nor more than {MOST_SERVICES}.")
        tags = "TAGS" in (given.get("include") or ())
        found, failures = [], []
        for each in given["services"]:
            service = request.ecs_backend.services.get(f"{cluster.name}:{each.split('/')[-1]}")
            if service is None:
                arn = each if each.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':service/')}/{each}"
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(service.describe(self._world.tasks_of(service), tags=tags))
        return Answer({"services": found, "failures": failures})

    def list_services(self, request: Request) -> Answer:
        cluster = request.ecs_backend._get_cluster(_given(request).get("cluster", "default"))
        found = [each for each in request.ecs_backend.services.values() if each.cluster_arn == cluster.arn]
        return Answer({"serviceArns": [each.arn for each in found if each.status != "INACTIVE"]})

    # What they hang on

    def delete_cluster(self, request: Request) -> Answer:
        cluster = request.ecs_backend._get_cluster(_given(request)["cluster"])
        refuse_used_cluster(request.ecs_backend, cluster)
        return Answer({"cluster": request.ecs_backend.delete_cluster(cluster.name)})

    def register_task_definition(self, request: Request) -> Answer:
        given = _given(request)
        if "FARGATE" in (given.get("requiresCompatibilities") or ()):
            check_size(given.get("cpu"), given.get("memory"))
        return self._register(request)


def refuse_used_cluster(backend: Any, cluster: Any) -> None:
    """moto deletes a cluster with all that it holds."""
    if any(each.cluster_arn == cluster.arn and each.status != "INACTIVE" for each in backend.services.values()):
        raise ECSException("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if any(each.last_status != "STOPPED" for each in backend.tasks.get(cluster.name, {}).values()):
        raise ECSException("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")


def _given(request: Request) -> dict[str, Any]:
    return {key: value for key, value in request._get_params().items() if value is not None}


def _place(request: Request, given: dict[str, Any]) -> tuple[Any, Any, Any]:
    backend = request.ecs_backend
    cluster = backend._get_cluster(given.get("cluster", "default"))
    if cluster.status != "ACTIVE":
        raise ECSException("ClusterNotFoundException", "Cluster not found.")
    definition = backend.describe_task_definition(given["taskDefinition"])
    if definition.status != "ACTIVE":
        raise ECSException("ClientException", "TaskDefinition is inactive")
    return backend, cluster, definition


def _tasks(request: Request, cluster: Any) -> dict[str, Task]:
    return {each.id: each for each in request.ecs_backend.tasks.get(cluster.name, {}).values()}


def _service(request: Request, given: dict[str, Any]) -> Service:
    cluster = request.ecs_backend._get_cluster(given.get("cluster", "default"))
    found: Service | None = request.ecs_backend.services.get(f"{cluster.name}:{given['service'].split('/')[-1]}")
    if found is None or found.status == "INACTIVE":
        raise ServiceNotFoundException
    return found


def _check_network(backend: Any, given: dict[str, Any]) -> None:
    network = (given.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if not network:
        raise InvalidError("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    if not network.get("subnets"):
        raise InvalidError("subnets can not be empty.")
    known = {name for subnets in ec2.subnets.values() for name in subnets}
    for each in network["subnets"]:
        if each not in known:
            raise InvalidError(
                f"Error retrieving subnet information for [{each}]: The subnet ID '{each}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            )
    for each in network.get("securityGroups") or ():
        if ec2.get_security_group_from_id(each) is None:
            raise InvalidError(
                f"Error retrieving security group information for [{each}]: The security group '{each}' does not exist "
                "(ErrorCode: InvalidGroup.NotFound)"
            )


def _check_containers(definition: Any, names: set[str]) -> None:
    for each in names - {str(it["name"]) for it in definition.container_definitions}:
        raise InvalidError(f"The container {each} does not exist in the task definition.")


def _check_group(backend: Any, arn: str) -> None:
    balancers = elbv2_backends[backend.account_id][backend.region_name]
    if arn not in balancers.target_groups:
        raise InvalidError(f"Unable to assume role and validate the specified targetGroupArn: {arn} was not found.")
    if not balancers._any_listener_using(arn):
        raise InvalidError(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")

"""Cloud Map's instances follow the tasks of services, as ECS registers them; what has some is not deleted."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.servicediscovery.models import ServiceDiscoveryBackend, ServiceInstance, servicediscovery_backends

from tests.aws.ecs.task import Task


def follow(task: Task) -> None:
    """Register or deregister a task with the names of its service."""
    for given in task.given.get("serviceRegistries") or ():
        known = servicediscovery_backends[task.account][task.region].services.values()
        name = next((each for each in known if each.arn == given["registryArn"]), None)
        if name is None:
            continue
        there = any(each.instance_id == task.id for each in name.instances)
        if task.running and not there:
            address = task.interface.private_ip_address if task.interface is not None else ""
            name.instances.append(ServiceInstance(name.id, task.id, task.id, {"AWS_INSTANCE_IPV4": address}))
        elif there and not task.running:
            name.instances = [each for each in name.instances if each.instance_id != task.id]


def refuse() -> None:
    """moto deletes a namespace with its services, and a service with its instances."""
    delete_namespace, delete_service = ServiceDiscoveryBackend.delete_namespace, ServiceDiscoveryBackend.delete_service

    def namespace(backend: Any, namespace_id: str) -> str:
        if any(each.namespace_id == namespace_id for each in backend.services.values()):
            raise JsonRESTError("ResourceInUse", f"Namespace {namespace_id} has associated services.")
        return delete_namespace(backend, namespace_id)

    def service(backend: Any, service_id: str) -> None:
        found = backend.services.get(service_id)
        if found is not None and found.instances:
            raise JsonRESTError(
                "ResourceInUse", "Service contains registered instances; delete the instances before deleting the service"
            )
        delete_service(backend, service_id)

    ServiceDiscoveryBackend.delete_namespace = namespace
    ServiceDiscoveryBackend.delete_service = service

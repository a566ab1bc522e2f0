"""Named volumes: for each a file system of EFS, which outlives tasks and is mounted by all that name it."""

from __future__ import annotations

from collections.abc import Iterator

from defang_nb.model.project import Mount, Service
from defang_nb.model.resource import Need, Resource
from defang_nb.model.value import Json, ref
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.compile import stores
from defang_nb.providers.aws.compile.context import Context

_NFS = 2049


def is_named(mount: Mount) -> bool:
    return mount.kind == "volume" and bool(mount.source)


def named(service: Service) -> list[Mount]:
    """What of a service's mounts is a named volume. A managed store has a disk of its own."""
    return [] if stores.is_store(service) else [each for each in service.volumes if is_named(each)]


def alone(service: Service) -> bool:
    """Whether a new task has to wait until the old one is gone: two of a database's on one volume would spoil it."""
    return service.replicas == 1 and not service.autoscaling and any(not each.read_only for each in named(service))


def resources(context: Context) -> Iterator[Resource]:
    used = {mount.source for service in context.project.services.values() for mount in named(service)}
    for volume in sorted(used):
        group = f"{volume}:volume"
        said: dict[str, Json] = {
            "vpc": context.base.vpc,
            "ingress": [{"port": _NFS, "from": ref(context.urn(kinds.GROUP, kinds.TASK_GROUP), "id")}],
            "description": f"volume {volume} of {context.project.name}",
        }
        yield context.resource(kinds.GROUP, group, said, title=f"network of volume {volume}")
        made: dict[str, Json] = {
            "subnets": list(context.base.subnets),
            "groups": [ref(context.urn(kinds.GROUP, group), "id")],
        }
        yield context.resource(kinds.FILES, volume, made, title=f"volume {volume}", protect=True)
        point = {"file_system": ref(context.urn(kinds.FILES, volume), "id")}
        yield context.resource(kinds.ACCESS, volume, point, title=f"access to volume {volume}")


def mounts(context: Context, service: Service) -> list[Json]:
    """Of a task definition."""
    return [
        {
            "target": each.target,
            "read_only": each.read_only,
            "file_system": ref(context.urn(kinds.FILES, each.source), "id"),
            "access": ref(context.urn(kinds.ACCESS, each.source), "id"),
        }
        for each in named(service)
    ]


def needs(context: Context, service: Service) -> dict[str, Need]:
    """A task that can't mount its volumes does not start."""
    return {context.urn(kind, each.source): Need.READY for each in named(service) for kind in (kinds.FILES, kinds.ACCESS)}

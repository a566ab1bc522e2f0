"""A project as resources of AWS. Pure: the same arguments give the same resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from defang_nb.model.image import ImageSource
from defang_nb.model.project import Condition, Project, Service
from defang_nb.model.resource import Need, Options, Resource
from defang_nb.model.value import Json, ref
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.compile import discovery, front, health, models, sites, stores, tasks, volumes
from defang_nb.providers.aws.compile.context import Context
from defang_nb.providers.aws.modes import Mode
from defang_nb.providers.local.docker.stores import kind as store_kind
from defang_nb.providers.local.process.names import as_json

IMAGES, CACHE = "images", "cache"
TITLES = {IMAGES: "images", CACHE: "cached layers"}


def compile_project(
    project: Project, images: Sequence[ImageSource], config_digests: Mapping[str, str], *, base: Base, mode: Mode, stack: str
) -> list[Resource]:
    """What the project's services share, their images, and for each service what it needs and its main resource."""
    project = models.with_gateways(project, base.region)
    traits = {name: source.traits for source in images for name in source.services}
    checked = {name: health.checked(service, traits.get(name)) for name, service in project.services.items()}
    project = msgspec.structs.replace(project, services=checked)
    context = Context(project=project, images=images, digests=config_digests, base=base, mode=mode, stack=stack)
    return list(_resources(context))


def main_type(service: Service) -> str:
    if stores.is_store(service):
        return stores.main_type(service)
    if sites.is_site(service):
        return kinds.SITE
    return kinds.JOB if service.one_off else kinds.SERVICE


def _resources(context: Context) -> Iterator[Resource]:
    hosts = discovery.hosts(context) | stores.hosts(context) | sites.hosts(context)
    yield from stores.resources(context)  # first, as they take longest
    yield from sites.resources(context)
    yield from volumes.resources(context)
    yield from front.resources(context)
    yield from discovery.resources(context)
    yield from _shared(context)
    yield from _images(context)
    for service in context.project.services.values():
        if sites.is_site(service):
            yield sites.main(context, service, _needs(context, service))
        elif not stores.is_store(service):
            yield from _service(context, service, hosts)


def _shared(context: Context) -> Iterator[Resource]:
    if not all(sites.is_site(each) for each in context.project.services.values()):
        yield context.resource(kinds.LOGS, kinds.LOG_GROUP, {"days": context.mode.log_days}, title="logs")
        inputs = {
            "vpc": context.base.vpc,
            "ingress": [{"from": "self"}],
            "description": f"services of {context.project.name}",
        }
        yield context.resource(kinds.GROUP, kinds.TASK_GROUP, inputs, title="network of services")


def _images(context: Context) -> Iterator[Resource]:
    if not context.images:
        return
    for name in (IMAGES, CACHE):
        yield context.resource(kinds.REPOSITORY, name, {}, title=f"repository of {TITLES[name]}")
    for source in context.images:
        arguments = {key: as_json(text) for key, text in source.args.items()}
        inputs = {
            "reference": source.reference,
            # Which services use an image is no part of it: one more or less builds nothing.
            "source": source.recipe,
            "args": arguments,
            "repository": ref(context.urn(kinds.REPOSITORY, IMAGES), "uri"),
            "cache": ref(context.urn(kinds.REPOSITORY, CACHE), "uri"),
            "config_digests": context.digests_of(arguments),
        }
        title = f"image of {', '.join(source.services)}"
        yield context.resource(kinds.IMAGE, source.name, inputs, service=source.services[0], title=title)


def _service(context: Context, service: Service, hosts: Mapping[str, Json]) -> Iterator[Resource]:
    """Its role, the texts with its secrets, its task definition, and what runs it."""
    routes = [route for route in front.routes(context.project) if route.service == service.name]
    searching = msgspec.structs.replace(
        service, environment={**{k: (v,) for k, v in discovery.environment(context).items()}, **service.environment}
    )
    title = f"role of {service.name}"
    yield context.resource(kinds.ROLE, service.name, _role(context, service), service=service.name, title=title)
    yield from tasks.texts(context, service, hosts)
    definition = tasks.inputs(context, searching, hosts)
    yield context.resource(kinds.TASK, service.name, definition, service=service.name, title=f"task of {service.name}")
    inputs = _job(context, service) if service.one_off else _running(context, service, routes, hosts)
    needs = volumes.needs(context, service) | _needs(context, service)
    needs |= {context.urn(kinds.RULE, route.key): Need.CREATED for route in routes}
    if service.one_off:
        needs[context.urn(kinds.ROLE, service.name)] = Need.READY
    yield Resource(
        urn=context.urn(main_type(service), service.name),
        type=main_type(service),
        inputs=inputs,
        options=Options(depends_on=needs),
        service=service.name,
        main=True,
        title=service.name,
    )
    if service.autoscaling and not service.one_off:
        yield context.resource(
            kinds.SCALING, service.name, _scaling(context, service), service=service.name, title="autoscaling"
        )


def _awaited(service: Service) -> bool:
    return service.one_off or stores.is_store(service) or store_kind(service) is not None


def _role(context: Context, service: Service) -> dict[str, Json]:
    made: dict[str, Json] = {"boundary": context.base.boundary, "policies": list(service.policies)}
    if statements := stores.statements(service):
        made["statements"] = statements
    return made


def _placed(context: Context, service: Service) -> dict[str, Json]:
    return {
        "cluster": context.base.cluster,
        "task": ref(context.urn(kinds.TASK, service.name), "arn"),
        "subnets": list(context.base.subnets),
        "groups": [ref(context.urn(kinds.GROUP, kinds.TASK_GROUP), "id")],
        "replicas": service.replicas,
    }


def _job(context: Context, service: Service) -> dict[str, Json]:
    return _placed(context, service)


def _running(context: Context, service: Service, routes: Sequence[front.Route], hosts: Mapping[str, Json]) -> dict[str, Json]:
    internal = [port for port in service.ports if port not in [route.port for route in routes]]
    endpoints: list[Json] = [{"url": front.url(context, route), "port": route.port.target, "public": True} for route in routes]
    if service.name in hosts:
        endpoints += [
            {"url": f"{_scheme(front.is_http(port), port.protocol)}://{hosts[service.name]}:{port.target}",
             "port": port.target, "public": False}
            for port in internal
        ]  # fmt: skip
    made = {
        **_placed(context, service),
        "spot": context.mode.spot,
        "min_healthy": 0 if volumes.alone(service) else context.mode.min_healthy,
        "max_percent": 100 if volumes.alone(service) else context.mode.max_percent,
        "targets": [{"group": ref(context.urn(kinds.TARGETS, each.key), "arn"), "port": each.port.target} for each in routes],
        "endpoints": endpoints,
        "autoscaled": service.autoscaling,
    }
    if routes:
        made |= {"grace": health.grace(service), "balancer": ref(context.urn(kinds.BALANCER, kinds.FRONT), "arn")}
    if service.name in hosts:
        made["name"] = ref(context.urn(kinds.NAME, service.name), "arn")
    return made


def _scheme(http: bool, protocol: str) -> str:
    return "http" if http else protocol


def _scaling(context: Context, service: Service) -> dict[str, Json]:
    """From as many as the service says to three times that, and ten at least, by how busy their processors are."""
    return {
        "cluster": context.base.cluster,
        "service": ref(context.urn(kinds.SERVICE, service.name), "name"),
        "least": max(1, service.replicas),
        "most": max(10, 3 * service.replicas),
        "cpu_percent": 70,
    }


def _needs(context: Context, service: Service) -> dict[str, Need]:
    """As on one's own machine: a store is always waited for until it is usable, and a one-off until it is done.

    Who starts too early ends, and ECS gives a service up that ends three times.
    """
    services = context.project.services
    return {
        context.urn(main_type(services[name]), name): (
            Need.CREATED if dependency.condition is Condition.STARTED and not _awaited(services[name]) else Need.READY
        )
        for name, dependency in service.depends_on.items()
        if name in services
    }

"""What is found from outside: one load balancer for a project, and how it is told which service a request is for.

A service with a domain name is known by it, on port 443, with a certificate of its own; port 80 leads there. Of the others the
first has port 80, and each further port has a listener of its own: the port that is published, so that `8080:80` is found at
8080 as it is on one's own machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from defang_nb.model.project import Port, PortMode, Project, Service
from defang_nb.model.resource import Resource
from defang_nb.model.value import Json, join, ref
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.compile import health, stores
from defang_nb.providers.aws.compile.context import Context

NOT_HTTP = frozenset({21, 22, 25, 53, 1883, 3306, 5432, 5672, 6379, 9092, 11211, 27017})
"""Ports on which nobody speaks HTTP."""
_HTTP = ("", "http", "https", "http2", "grpc")
_VERSIONS = {"http2": "HTTP2", "grpc": "GRPC"}
_MAIN, _SECURE = 80, 443
_OPEN = (80, 443)
"""What everybody may reach of any load balancer of ours; further ports are opened by the project."""
_CATCH_ALL = 40_000
_LAST = 50_000
"""The last priority that a listener's rule may have."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One published port: which requests to the load balancer are for it. `priority` counts in its listener."""

    service: str
    port: Port
    listener: int
    priority: int
    host: str = ""

    @property
    def version(self) -> str:
        return _VERSIONS.get(self.port.app_protocol, "HTTP1")

    @property
    def key(self) -> str:
        """The name of its target group and of its rule. Another protocol makes others."""
        version = "" if self.version == "HTTP1" else f":{self.version.lower()}"
        return f"{self.service}:{self.port.target}{version}"


def is_http(port: Port) -> bool:
    return port.protocol == "tcp" and port.app_protocol in _HTTP and (bool(port.app_protocol) or port.target not in NOT_HTTP)


def published(service: Service) -> list[Port]:
    """The ports that the load balancer answers for, each once."""
    if not stores.is_container(service):
        return []
    found = [port for port in service.ports if port.mode is PortMode.INGRESS and is_http(port)]
    return list({port.target: port for port in reversed(found)}.values())[::-1]


def routes(project: Project) -> list[Route]:
    """Of all services, in the order of the file."""
    wanted = [(service, port) for service in project.services.values() for port in published(service)]
    named: set[str] = set()
    free: list[tuple[Service, Port]] = []
    found: list[Route] = []
    for service, port in wanted:
        if service.domainname and service.name not in named:
            named.add(service.name)
            found.append(Route(service=service.name, port=port, listener=_SECURE, priority=0, host=service.domainname))
        else:
            free.append((service, port))
    first = next((each for said in (_says_main, _is_nameless, bool) for each in free if said(each)), None)
    taken = {*_OPEN}
    for each in free:
        service, port = each
        number = _MAIN if each is first else _listener(port, taken)
        taken.add(number)
        found.append(Route(service=service.name, port=port, listener=number, priority=0))
    order = {name: place for place, name in enumerate(project.services)}
    return sorted(_prioritised(found), key=lambda route: order[route.service])


def _says_main(each: tuple[Service, Port]) -> bool:
    return each[1].published in _OPEN


def _is_nameless(each: tuple[Service, Port]) -> bool:
    return not each[0].domainname


def _listener(port: Port, taken: set[int]) -> int:
    number = port.published or port.target
    while number in taken:
        number = number + 1 if number >= 1024 else number + 8000
    return number


def _prioritised(found: Sequence[Route]) -> Iterator[Route]:
    """A rule's priority comes from its name, so that one more or less moves no other; those with a host go first."""
    used: set[tuple[int, int]] = set()
    for route in sorted(found, key=lambda each: each.key):
        low, high = (1, _CATCH_ALL) if route.host else (_CATCH_ALL, _LAST)
        priority = _priority(route.key, low, high)
        while (route.listener, priority) in used:
            priority = priority + 1 if priority + 1 < high else low
        used.add((route.listener, priority))
        yield msgspec.structs.replace(route, priority=priority)


def _priority(key: str, low: int, high: int) -> int:
    return low + int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % (high - low)


def resources(context: Context) -> Iterator[Resource]:
    """The load balancer, its listeners, and a target group and a rule for each published port; nothing, where none is."""
    found = routes(context.project)
    if not found:
        return
    groups: list[Json] = [context.base.public_group, ref(context.urn(kinds.GROUP, kinds.TASK_GROUP), "id")]
    # Who asks for a domain at port 80 is sent on.
    ports = sorted({port for route in found for port in ((_SECURE, _MAIN) if route.host else (route.listener,))})
    if more := [port for port in ports if port not in _OPEN]:
        opened: list[Json] = [{"port": port, "from": "0.0.0.0/0"} for port in more]
        said: dict[str, Json] = {
            "vpc": context.base.vpc,
            "ingress": opened,
            "description": f"published ports of {context.project.name}",
        }
        yield context.resource(kinds.GROUP, kinds.FRONT_GROUP, said, title="published ports")
        groups.append(ref(context.urn(kinds.GROUP, kinds.FRONT_GROUP), "id"))
    yield context.resource(
        kinds.BALANCER,
        kinds.FRONT,
        {"subnets": list(context.base.subnets), "groups": groups, "deletion_protection": context.mode.deletion_protection},
        title="load balancer",
    )
    hosts = sorted({route.host for route in found if route.host})
    for host in hosts:
        yield from _domain(context, host)
    for port in ports:
        inputs: dict[str, Json] = {
            "balancer": ref(context.urn(kinds.BALANCER, kinds.FRONT), "arn"),
            "port": port,
            "protocol": "HTTP",
        }
        if port == _SECURE:
            certificates = [ref(context.urn(kinds.CERTIFICATE, host), "arn") for host in hosts]
            inputs |= {"protocol": "HTTPS", "certificates": certificates}
        yield context.resource(kinds.LISTENER, str(port), inputs, title=f"port {port}")
    for route in found:
        yield from _routed(context, route)


def _domain(context: Context, host: str) -> Iterator[Resource]:
    """Its certificate, and the record by which it leads to the load balancer."""
    target = ref(context.urn(kinds.BALANCER, kinds.FRONT), "host")
    title = f"certificate of {host}"
    yield context.resource(kinds.CERTIFICATE, host, {"host": host, "target": target}, title=title)
    zone = ref(context.urn(kinds.BALANCER, kinds.FRONT), "zone")
    said: dict[str, Json] = {"host": host, "target": target, "target_zone": zone}
    yield context.resource(kinds.RECORD, host, said, title=f"name {host}")


def _routed(context: Context, route: Route) -> Iterator[Resource]:
    service = context.project.services[route.service]
    target = route.port.target
    yield context.resource(
        kinds.TARGETS,
        route.key,
        {
            "vpc": context.base.vpc,
            "port": target,
            "version": route.version,
            "check": health.target_check(service, target, route.version),
            "drain_seconds": context.mode.drain_seconds,
        },
        service=service.name,
        title=f"targets of {service.name}:{target}",
    )
    yield context.resource(
        kinds.RULE,
        route.key,
        {
            "listener": ref(context.urn(kinds.LISTENER, str(route.listener)), "arn"),
            "priority": route.priority,
            "hosts": [route.host] if route.host else [],
            "paths": [] if route.host else ["/*"],
            "targets": ref(context.urn(kinds.TARGETS, route.key), "arn"),
        },
        service=service.name,
        title=f"requests to {service.name}:{target}",
    )
    if route.host:
        plain: dict[str, Json] = {
            "listener": ref(context.urn(kinds.LISTENER, str(_MAIN)), "arn"),
            "priority": _priority(f"{route.key}:plain", 1, _CATCH_ALL),
            "hosts": [route.host],
            "paths": [],
            "redirect": _SECURE,
        }
        title = f"requests to {service.name}:{target} without TLS"
        yield context.resource(kinds.RULE, f"{route.key}:plain", plain, service=service.name, title=title)


def url(context: Context, route: Route) -> Json:
    """Where a published port is found."""
    if route.host:
        return f"https://{route.host}"
    port = "" if route.listener == _MAIN else f":{route.listener}"
    return join(["http://", ref(context.urn(kinds.BALANCER, kinds.FRONT), "host"), port])

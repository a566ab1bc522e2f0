"""The canonical model → `model.Project`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from defang_nb.compose.finish import section, services_of
from defang_nb.compose.nodes import Map, Node, Seq, Symbolic, plain
from defang_nb.compose.units import seconds
from defang_nb.model.project import (
    Build,
    Condition,
    Dependency,
    FileMount,
    FileObject,
    Healthcheck,
    Job,
    ModelUse,
    Mount,
    Port,
    PortMode,
    Project,
    Resources,
    Schedule,
    Service,
    Volume,
)
from defang_nb.model.source import Position
from defang_nb.model.value import Text

_Held = Mapping[str, "Mapping[str, Any] | None"]
"""Keys that are held elsewhere: whole (None), or what the inner mapping says of them."""


_PORT: Final = re.compile("[0-9]{1,10}")
_EXPOSED: Final = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?")


def project(
    model: Map, name: str, working_dir: str, files: tuple[str, ...], extended: Mapping[str, Mapping[str, Any]]
) -> Project:
    """The typed project; `extended` are the fields that `extensions` found, by service."""
    return Project(
        name=name,
        services={each: _service(each, service, extended.get(each, {})) for each, service in services_of(model).items()},
        volumes={
            key: Volume(name=each["name"], external=each.get("external", False))
            for key, each in section(model, "volumes").items()
        },
        configs={key: _file(each) for key, each in section(model, "configs").items()},
        secrets={key: _file(each) for key, each in section(model, "secrets").items()},
        jobs={each: _job(each, job) for each, job in section(model, "jobs").items()},
        working_dir=working_dir,
        files=files,
        positions=dict(_positions(model)),
        rest={key: _rest(each, _RESOURCE) for key in _SECTIONS if (each := section(model, key))},
    )


_SECTIONS: Final = ("networks", "volumes", "configs", "secrets", "models", "jobs")
_SERVICE: Final[_Held] = {
    **dict.fromkeys(
        (
            "image", "command", "entrypoint", "environment", "ports", "expose", "depends_on", "healthcheck", "restart", "scale",
            "volumes", "configs", "secrets", "working_dir", "user", "platform", "labels", "stop_signal", "stop_grace_period",
            "domainname", "models", "profiles",
        )
    ),
    "build": dict.fromkeys(("context", "dockerfile", "dockerfile_inline", "target", "args", "platforms")),
    "networks": {},
    "deploy": {"replicas": None, "resources": {"limits": dict.fromkeys(("cpus", "memory"))}},
}  # fmt: skip
"""What the fields of `model.Service` hold of a canonical service, whole (None) or in part."""

_RESOURCE: Final[_Held] = {}


def _rest(node: Map, held: _Held) -> dict[str, Any]:
    """What `held` leaves of `node`, without what is empty."""
    made: dict[str, Any] = {}
    for key, value in node.items():
        if (key in held and held[key] is None) or key.startswith("x-"):
            continue
        inner = held.get(key)
        left = _rest(value, inner) if inner is not None and isinstance(value, Map) else plain(value)
        if left is not None and left != {}:
            made[key] = left
    return made


def text(value: Node) -> Text:
    """A value as `model.value.Text`."""
    if isinstance(value, Symbolic):
        return value.parts
    return (str(value),) if value else ()


def _service(name: str, it: Map, extended: Mapping[str, Any]) -> Service:
    deploy = section(it, "deploy")
    replicas = it.get("scale", deploy.get("replicas"))
    return Service(
        name=name,
        image=it.get("image", ""),
        build=_build(it["build"]) if "build" in it else None,
        command=_words(it, "command"),
        entrypoint=_words(it, "entrypoint"),
        environment={key: text(value) for key, value in section(it, "environment").items()},
        ports=tuple(_port(each) for each in it.get("ports", ())),
        expose=tuple(dict.fromkeys(port for each in it.get("expose", ()) for port in _exposed(each))),
        depends_on={key: _dependency(each) for key, each in section(it, "depends_on").items()},
        healthcheck=_healthcheck(it["healthcheck"]) if it.get("healthcheck") else None,
        restart=it.get("restart", ""),
        replicas=1 if replicas is None else replicas,
        resources=_resources(it, deploy),
        volumes=tuple(_mount(each) for each in it.get("volumes", ())),
        configs=tuple(_file_mount(each, "/") for each in it.get("configs", ()) if "source" in each),
        secrets=tuple(_file_mount(each, "/run/secrets/") for each in it.get("secrets", ()) if "source" in each),
        networks=tuple(section(it, "networks")),
        working_dir=it.get("working_dir", ""),
        user=it.get("user", ""),
        platform=it.get("platform", ""),
        labels=dict(section(it, "labels")),
        stop_signal=it.get("stop_signal", ""),
        stop_grace_period=seconds(it.get("stop_grace_period", "10s")),
        domainname=it.get("domainname", ""),
        models={key: ModelUse(**plain(each or {})) for key, each in section(it, "models").items()},
        rest=_rest(it, _SERVICE),
        **extended,
    )


def _job(name: str, it: Map) -> Job:
    triggers = section(it, "triggers")
    container = Map(it.at)
    container.update((key, value) for key, value in it.items() if key != "triggers")
    return Job(
        name=name,
        container=_service(name, container, {}),
        schedule=tuple(Schedule(**plain(each)) for each in triggers.get("schedule", ())),
        manual=triggers.get("manual", True),
    )


def _words(it: Map, key: str) -> tuple[str, ...] | None:
    value = it.get(key)
    return None if value is None else tuple(str(each) for each in value)


def _build(it: Map) -> Build:
    return Build(
        context=it.get("context", ""),
        dockerfile=it.get("dockerfile", ""),
        dockerfile_inline=it.get("dockerfile_inline", ""),
        target=it.get("target", ""),
        args={key: text(value) for key, value in section(it, "args").items() if value is not None},
        platforms=tuple(it.get("platforms", ())),
        labels=dict(section(it, "labels")),
    )


def _port(it: Map) -> Port:
    published = str(it.get("published", "")).partition("-")[0]
    return Port(
        target=it["target"],
        published=int(published) if _PORT.fullmatch(published) and published != "0" else None,
        protocol=it.get("protocol", "tcp"),
        app_protocol=it.get("app_protocol", ""),
        mode=PortMode.HOST if it.get("mode") == "host" else PortMode.INGRESS,
        host_ip=it.get("host_ip", ""),
        name=it.get("name", ""),
    )


def _exposed(value: str) -> Iterator[int]:
    if match := _EXPOSED.fullmatch(value.partition("/")[0]):
        yield from range(int(match[1]), min(int(match[2] or match[1]), 65535) + 1)


def _dependency(it: Map) -> Dependency:
    return Dependency(
        condition=Condition(it.get("condition", "service_started")),
        required=it.get("required", True),
        restart=it.get("restart", False),
    )


def _healthcheck(it: Map) -> Healthcheck:
    default = Healthcheck()
    test = tuple(str(each) for each in it.get("test", ()))
    interval = seconds(it["interval"]) if "interval" in it else default.interval
    return Healthcheck(
        test=test,
        interval=interval,
        timeout=seconds(it["timeout"]) if "timeout" in it else default.timeout,
        retries=it.get("retries", default.retries),
        start_period=seconds(it.get("start_period", "0s")),
        start_interval=seconds(it["start_interval"]) if "start_interval" in it else default.start_interval,
        disable=it.get("disable", False) or test[:1] == ("NONE",),
    )


def _resources(it: Map, deploy: Map) -> Resources:
    resources = section(deploy, "resources")
    reserved, limits = section(resources, "reservations"), section(resources, "limits")
    devices = [*reserved.get("devices", ()), *it.get("gpus", ())]
    counts = [abs(each.get("count", len(each.get("device_ids", ())))) for each in devices if _is_gpu(each)]
    return Resources(
        cpus=_number(reserved.get("cpus")),
        memory=_bytes(reserved.get("memory", it.get("mem_reservation"))),
        gpus=sum(counts) if counts else None,
        cpus_limit=_number(limits.get("cpus", it.get("cpus"))),
        memory_limit=_bytes(limits.get("memory", it.get("mem_limit"))),
    )


def _is_gpu(device: Map) -> bool:
    return "capabilities" not in device or "gpu" in device["capabilities"]


def _number(value: Node) -> float | None:
    return None if value is None else float(value)


def _bytes(value: Node) -> int | None:
    return None if value is None else int(value)


def _mount(it: Map) -> Mount:
    return Mount(
        kind=it["type"],
        target=it["target"],
        source=it.get("source", ""),
        read_only=it.get("read_only", False),
        options=_rest(section(it, it["type"]), _RESOURCE),
    )


def _file_mount(it: Map, folder: str) -> FileMount:
    target = it.get("target") or it["source"]
    mode = it.get("mode")
    return FileMount(
        source=it["source"],
        target=target if target.startswith("/") else folder + target,
        mode=int(mode, 8) if mode else None,
    )


def _file(it: Mapping[str, Any]) -> FileObject:
    return FileObject(
        name=it["name"],
        file=it.get("file", ""),
        content=text(it.get("content", "")),
        environment=it.get("environment", ""),
        external=it.get("external", False),
    )


def _positions(model: Map) -> Iterator[tuple[str, Position]]:
    if "jobs" in model.keys_at:
        yield "jobs", model.keys_at["jobs"]
    for key in ("services", "networks", "volumes", "configs", "secrets", "models"):
        part = section(model, key)
        for name, value in part.items():
            place = f"{key}.{name}"
            if name in part.keys_at:
                yield place, part.keys_at[name]
            yield from _inside(value, place)


def _inside(node: Node, place: str) -> Iterator[tuple[str, Position]]:
    if isinstance(node, Map):
        for key, value in node.items():
            here = f"{place}.{key}"
            if key in node.keys_at:
                yield here, node.keys_at[key]
            if isinstance(value, (Map, Seq)):
                yield from _inside(value, here)
    elif isinstance(node, Seq):
        for index, (value, at) in enumerate(node.pairs()):
            here = f"{place}[{index}]"
            yield here, at
            if isinstance(value, (Map, Seq)):
                yield from _inside(value, here)

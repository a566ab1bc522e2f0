"""What the assembled model leaves unsaid: default network, names, dependencies that other keys imply, inherited values.

Source: the reference's normalisation. All of it is in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from defang_nb.compose.nodes import Map, Seq, Symbolic
from defang_nb.compose.problems import Problems
from defang_nb.compose.template import CONFIG_NAME
from defang_nb.model.source import Position
from defang_nb.model.value import ConfigRef

NAMED: Final = ("networks", "volumes", "secrets", "configs")


def services_of(model: Map) -> Mapping[str, Map]:
    """The model's services; none when it has no such section."""
    return section(model, "services")


def section(model: Map, key: str) -> Map:
    """A part of the model; empty when it isn't there."""
    found = model.get(key)
    return found if isinstance(found, Map) else Map(model.at)


def workloads(model: Map) -> Iterator[tuple[str, str, Map]]:
    """All that runs: services and jobs, each with its section and name."""
    for key in ("services", "jobs"):
        for name, workload in section(model, key).items():
            yield key, name, workload


def normalise(model: Map, project: str) -> None:
    """Everything but values from outside: networks, names, implied dependencies, spellings."""
    for _, _, service in workloads(model):
        _networks(service)
        for name, at, restart in implied(service):
            _depend(service, name, at, restart=restart)
        for dependency in section(service, "depends_on").values():
            dependency.setdefault("required", True)
        if service.get("pull_policy") == "if_not_present":
            service["pull_policy"] = "missing"
        for step in service.get("pre_start", ()) if "image" in service else ():
            step.setdefault("image", service["image"])
    used = any("default" in service.get("networks", ()) for _, _, service in workloads(model))
    if used and "default" not in section(model, "networks"):
        networks = section(model, "networks")
        networks["default"] = Map(model.at)
        model["networks"] = networks
    for key in NAMED:
        for name, resource in section(model, key).items():
            if isinstance(resource, Map) and "name" not in resource:
                resource["name"] = name if resource.get("external") else f"{project}_{name}"


def _networks(service: Map) -> None:
    if service.get("networks"):
        return
    service.pop("networks", None)
    if "network_mode" not in service and "provider" not in service:
        default = Map(service.at)
        default["default"] = None
        service["networks"] = default


def implied(service: Map) -> Iterator[tuple[str, Position | None, bool]]:
    """Services that `links`, `volumes_from` and `service:…` values depend on: name, place, whether a restart is passed on."""
    links = service.get("links")
    for link, at in links.pairs() if isinstance(links, Seq) else ():
        yield link.partition(":")[0], at, True
    for key in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        value = service.get(key)
        if isinstance(value, str) and value.startswith("service:"):
            yield value.removeprefix("service:"), service.value_at(key), True
    sources = service.get("volumes_from")
    for source, at in sources.pairs() if isinstance(sources, Seq) else ():
        if not source.startswith("container:"):
            yield source.partition(":")[0], at, False


def _depend(service: Map, name: str, at: Position | None, *, restart: bool) -> None:
    depends = service.setdefault("depends_on", Map(service.at))
    if name in depends:
        return
    dependency = Map(at)
    dependency.update({"condition": "service_started", "required": True, **({"restart": True} if restart else {})})
    depends[name] = dependency
    if at:
        depends.keys_at[name] = depends.values_at[name] = at


def resolve_environment(model: Map, variables: Mapping[str, str], problems: Problems, *, as_compose: bool) -> None:
    """Environment keys and build arguments without a value take it from `variables`."""
    for key, name, service in workloads(model):
        environment = section(service, "environment")
        _inherit(environment, variables)
        build = section(service, "build")
        if isinstance(listed := build.get("args"), Seq):  # left as it stands; what has no value says nothing
            build["args"] = given = Seq(listed.at)
            for each, at in listed.pairs():
                if "=" in each:
                    given.add(each, at)
        args = section(build, "args")
        _inherit(args, variables)
        if as_compose:
            for key in [key for key, value in args.items() if value is None]:
                del args[key]
        else:
            _to_config(args, problems, (key, name, "build", "args"))


def to_config(service: Map, name: str, problems: Problems, kind: str = "services") -> None:
    """Environment keys that nothing gave a value are configuration values of that name."""
    _to_config(section(service, "environment"), problems, (kind, name, "environment"))


def _inherit(values: Map, variables: Mapping[str, str]) -> None:
    for key, value in values.items():
        if value is None and key in variables:
            values[key] = variables[key]


def _to_config(values: Map, problems: Problems, path: tuple[str, ...]) -> None:
    for key, value in values.items():
        if value is not None:
            continue
        if CONFIG_NAME.fullmatch(key):
            values[key] = Symbolic((ConfigRef(key),))
        else:
            hint = "letters, digits and _, at most 64, not beginning with a digit; or give it a value: KEY=value"
            shown = _name(key)
            message = f'"{shown}" has no value, and is no config name'
            problems.error("config-name", message, values.key_at(key), (*path, shown), hint)


def _name(key: str) -> str:
    """A key as it may be repeated: where a `=` is missing, a value may be in it, and that may be secret."""
    match = re.match(r"[\w.-]{1,64}", key)
    return key if match and match.end() == len(key) else f"{match[0] if match else ''}…"

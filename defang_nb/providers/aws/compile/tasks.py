"""A service's task definition: what Compose says of its container, by Compose's own names where Fargate has the same.

So a difference is told in the words of the file; `types.tasks` says it to ECS. A configuration value is a reference to its
parameter; one that is only a part of a text is put together in a parameter of its own (`aws:ssm/Text`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from defang_nb.model.project import Mount, Service
from defang_nb.model.resource import Resource
from defang_nb.model.value import Json, config_keys, ref
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.compile import health, sizes, stores, volumes
from defang_nb.providers.aws.compile.context import Context

STOP_SECONDS = 120
"""The longest that Fargate waits for a container to stop."""
_PLAIN = ("init", "read_only", "tty", "stdin_open", "cap_add", "cap_drop", "sysctls")
"""Keys of Compose that ECS has under another name, and that mean the same."""
_MEBI = 2**20
_UNITS = {"": 1, "b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}


def inputs(context: Context, service: Service, hosts: Mapping[str, Json]) -> dict[str, Json]:
    """What the task definition is made from. `hosts`: by what name in the account each service is found."""
    size, source = sizes.size(service.resources), context.source(service)
    values = stores.environment(context, service, hosts)
    secret = {key: value for key, value in values.items() if any(config_keys(value))}
    made: dict[str, Json] = {
        "image": image(context, service),
        "architecture": architecture((source and source.platform) or service.platform),
        "cpu": size.cpu,
        "memory": size.memory,
        "role": ref(context.urn(kinds.ROLE, service.name), "arn"),
        "execution_role": context.base.execution_role,
        "log_group": ref(context.urn(kinds.LOGS, kinds.LOG_GROUP), "name"),
        "environment": {key: value for key, value in values.items() if key not in secret},
        "secrets": {key: _parameter(context, service, key, value) for key, value in secret.items()}
        | stores.passwords(context, service),
        "config_digests": context.digests_of(list(secret.values())),
        "ports": _ports(service),
        "healthcheck": health.container_check(service, source.traits if source else None),
        "command": None if service.command is None else list(service.command),
        "entrypoint": None if service.entrypoint is None else list(service.entrypoint),
        "user": service.user,
        "working_dir": service.working_dir,
        "stop_grace_period": min(STOP_SECONDS, max(1, round(service.stop_grace_period))),
        "labels": dict(service.labels),
        "nofile": _nofile(service.rest.get("ulimits") or {}),
        "tmpfs": list(_tmpfs(service)),
        "scratch": [{"target": each.target, "read_only": each.read_only} for each in service.volumes if _is_scratch(each)],
        "volumes": volumes.mounts(context, service),
        **{key: service.rest[key] for key in _PLAIN if service.rest.get(key)},
    }
    return {key: value for key, value in made.items() if value not in (None, "", [], {}) or key in ("command", "entrypoint")}


def texts(context: Context, service: Service, hosts: Mapping[str, Json]) -> Iterator[Resource]:
    """A parameter for each environment value of which configuration is only a part."""
    for key, value in stores.environment(context, service, hosts).items():
        if any(config_keys(value)) and "$config" not in value:
            said = {"value": value, "config_digests": context.digests_of(value)}
            needs = stores.made_passwords(context, value)
            yield context.resource(
                kinds.TEXT, f"{service.name}/{key}", said, service=service.name, title=f"{key} of {service.name}", needs=needs
            )


def image(context: Context, service: Service) -> Json:
    """A built image by its digest; another by the name that the file says."""
    source = context.source(service)
    return service.image if source is None else ref(context.urn(kinds.IMAGE, source.name), "reference")


def architecture(platform: str) -> str:
    """`linux/arm64/v8` → ARM64. What is not said is X86_64."""
    return "ARM64" if platform.split("/")[-1] in ("arm64", "v8", "aarch64") or "/arm64" in platform else "X86_64"


def _parameter(context: Context, service: Service, key: str, value: Json) -> Json:
    match value:
        case {"$config": str(name)}:
            return names.config_parameter(context.stack, context.project.name, name)
    return ref(context.urn(kinds.TEXT, f"{service.name}/{key}"), "name")


def _ports(service: Service) -> list[Json]:
    """Each port that something listens on, once."""
    said = {(port.target, port.protocol): port.app_protocol for port in service.ports}
    said |= {(port, "tcp"): said.get((port, "tcp"), "") for port in service.expose}
    return [{"target": target, "protocol": protocol} for target, protocol in said]


def _nofile(said: Mapping[str, Any]) -> Json:
    found = said.get("nofile")
    match found:
        case None:
            return None
        case Mapping():
            return [int(found["soft"]), int(found["hard"])]
    return [int(found), int(found)]


def _tmpfs(service: Service) -> Iterator[Json]:
    """`/run:size=64m,mode=1777`, or a mount of that kind. In MiB; ECS wants a size: half of the memory, as the kernel."""
    half = sizes.size(service.resources).memory // 2
    said = service.rest.get("tmpfs") or ()
    for each in [said] if isinstance(said, str) else said:
        target, _, options = each.partition(":")
        words = [word for word in options.split(",") if word]
        size = next((_bytes(word.partition("=")[2]) for word in words if word.startswith("size=")), 0)
        rest = [word for word in words if not word.startswith("size=")]
        yield {"target": target, "size": -(-size // _MEBI) or half, "options": rest}
    for mount in service.volumes:
        if mount.kind == "tmpfs":
            size, mode = int(mount.options.get("size") or 0), mount.options.get("mode")
            yield {
                "target": mount.target,
                "size": -(-size // _MEBI) or half,
                "options": [f"mode={mode}"] if mode else [],
            }


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([a-z]*)", text.lower())
    return int(found[1]) * _UNITS.get(found[2], 1) if found else 0


def _is_scratch(mount: Mount) -> bool:
    """A volume with no name holds what a task needs for as long as it runs: it is the task's own disk."""
    return mount.kind == "volume" and not mount.source

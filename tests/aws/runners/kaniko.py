"""Kaniko's executor in a container: as its task definition has it, with the simulation in place of AWS's own hosts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from moto.ecr.models import ecr_backends

from tests.aws.ecs.task import Container

if TYPE_CHECKING:
    from tests.aws.runners.container import Engine

_TARGET = re.compile(r"--destination=(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com/([^:@]+)")
_CONTEXT = re.compile(r"--context=https?://")


def options(engine: Engine, container: Container, environment: dict[str, str]) -> dict[str, Any]:
    """For the engine. It is on this machine's own network, where the simulation and the registry are."""
    return {
        "image": engine.kaniko,
        "entrypoint": container.definition.get("entryPoint"),
        "command": arguments(engine, list(container.definition.get("command") or ())),
        "network_mode": "host",
        "environment": environment
        | {
            "S3_ENDPOINT": engine.url,
            "S3_FORCE_PATH_STYLE": "true",
            "AWS_REGION": environment.get("AWS_REGION", "eu-central-1"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
    }


def arguments(engine: Engine, given: list[str]) -> list[str]:
    """ECR's host becomes the real registry, spoken to without TLS; and that is the mirror of the hub and of
    Amazon's public registry, as none may be reached.

    A presigned address of S3 becomes `s3://…`: Kaniko takes no plain http.
    """
    made = [engine.registry.local(_context(each)) for each in given]
    registry = engine.registry.address
    if registry:
        made += ["--insecure", "--insecure-pull", f"--insecure-registry={registry}", f"--registry-mirror={registry}"]
        made += [f"--registry-map=public.ecr.aws={registry}"]
    return made


def refused(container: Container) -> str:
    """What the executor says where a repository is not there, which ECR does not make by itself; "" where all are."""
    for each in container.definition.get("command") or ():
        match = _TARGET.match(each)
        if match and match[3] not in ecr_backends[match[1]][match[2]].repositories:
            return (
                "error checking push permissions -- make sure you entered the correct tag name: name unknown: The repository "
                f"with name '{match[3]}' does not exist in the registry with id '{match[1]}'"
            )
    return ""


def _context(argument: str) -> str:
    if not _CONTEXT.match(argument):
        return argument
    return f"--context=s3:/{urlsplit(argument.removeprefix('--context=')).path}"

"""How ECS and the load balancer see that a service is well. Seconds."""

from __future__ import annotations

import re

import msgspec

from defang_nb.model.image import Traits
from defang_nb.model.project import Healthcheck, Service
from defang_nb.model.value import Json

_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(?P<port>\d+))?(?P<path>/[^\s'\"`;|&)<>]*)?")
_SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash", "ash", "dash")
_WITH_SHELL = frozenset({
    "adminer", "alpine", "amazonlinux", "amazoncorretto", "bash", "busybox", "caddy", "composer", "debian", "eclipse-temurin",
    "elixir", "erlang", "fedora", "golang", "gradle", "haproxy", "httpd", "julia", "mariadb", "maven", "memcached", "mongo",
    "mysql", "nginx", "node", "openjdk", "perl", "php", "postgres", "python", "r-base", "rabbitmq", "redis", "rockylinux",
    "ruby", "rust", "solr", "swift", "tomcat", "ubuntu", "valkey/valkey", "wordpress",
})  # fmt: skip
"""Official images that have a shell."""
_TRIVIAL = ("CMD-SHELL", "exit 0")
_LONGEST = {"interval": (5, 300), "timeout": (2, 60), "start_period": (0, 300), "retries": (1, 10)}
"""What ECS allows of each: a container's `healthCheck`."""
MINIMUM_GRACE = 60


def checked(service: Service, image: Traits | None) -> Service:
    """With the health check of its Dockerfile, where it says none of its own: ECS does not look into images."""
    own, given = service.healthcheck, image.healthcheck if image else None
    if given is None or (own is not None and (own.test or own.disable)):
        return service
    if own is not None and not given.disable:
        given = msgspec.structs.replace(own, test=given.test)
    return msgspec.structs.replace(service, healthcheck=given)


def container_check(service: Service, image: Traits | None = None) -> dict[str, Json] | None:
    """What ECS runs in the container. `image`: what is known of one that is built.

    A service that says no check gets one that only shows that its container runs: without any, ECS waits 40 seconds before it
    calls a task steady. It needs a shell, so it is given only where one is known to be there.
    """
    check = service.healthcheck
    if check is not None and check.disable:
        return None
    if check is None or not check.test:
        if not _has_shell(service, image):
            return None
        check = Healthcheck(test=_TRIVIAL, interval=5.0, timeout=5.0, retries=3)
    test = list(check.test)
    if test[0] not in ("CMD", "CMD-SHELL"):
        test = ["CMD", *test]
    return {"test": test} | {key: _within(key, getattr(check, key)) for key in _LONGEST}


def target_check(service: Service, target: int, version: str) -> dict[str, Json]:
    """What the load balancer asks of a port: the address that the service's own check asks, else whether it answers at all."""
    tuned: dict[str, Json] = {"interval": 5, "timeout": 4, "healthy": 2, "unhealthy": 3}
    if version == "GRPC":
        return {"path": "/AWS.ALB/healthcheck", "codes": "0-99", **tuned}  # AWS's own default: any answer will do
    check = service.healthcheck
    words = " ".join(check.test) if check is not None and not check.disable else ""
    for found in _URL.finditer(words):
        if int(found["port"] or 80) == target:
            return {"path": found["path"] or "/", "codes": "200-399", **tuned}
    return {"path": "/", "codes": "200-499", **tuned}


def grace(service: Service) -> int:
    """For how long a new task may fail the load balancer's check."""
    check = service.healthcheck
    return max(MINIMUM_GRACE, round(check.start_period) if check else 0)


def _within(key: str, value: float) -> int:
    low, high = _LONGEST[key]
    return max(low, min(high, round(value)))


def _has_shell(service: Service, image: Traits | None) -> bool:
    """As far as can be told without looking into the image."""
    words = [*(service.entrypoint or ()), *(service.command or ())]
    if words and words[0] in _SHELLS:
        return True
    if service.build is not None:
        return image is not None and (image.shell or _family(image.base) in _WITH_SHELL)
    return _family(service.image) in _WITH_SHELL


def _family(image: str) -> str:
    """`docker.io/library/python:3.12-slim@sha256:…` → `python`."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    name = head if colon and "/" not in tag else name
    for prefix in ("docker.io/", "index.docker.io/", "public.ecr.aws/docker/", "library/"):
        name = name.removeprefix(prefix)
    return name

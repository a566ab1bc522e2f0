"""The registry that Kaniko pushes to, as a stack names it, and the credentials that this machine has for it."""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from defang_nb.errors import UsageError

REGISTRY, MIRROR = "DEFANG_REGISTRY", "DEFANG_REGISTRY_MIRROR"


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """`address` is `host[:port][/path]`; `mirrors` are asked for base images of the hub first; `insecure`: without TLS."""

    address: str
    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        return self.address.partition("/")[0]

    @property
    def on_this_machine(self) -> bool:
        return is_loopback(self.host)


def registry_of(settings: Mapping[str, str]) -> Registry:
    """`DEFANG_REGISTRY` and `DEFANG_REGISTRY_MIRROR`; `http://` before them, or a loopback address, means no TLS.

    Raises `UsageError` when there is none.
    """
    given = settings.get(REGISTRY, "").strip().rstrip("/")
    if not given:
        raise UsageError(
            "Kaniko needs a registry to push to, and the stack names none",
            hint=f"set {REGISTRY}=HOST[:PORT][/PATH]; for one on this machine: docker run -d -p 127.0.0.1:5000:5000 registry:2 "
            f"and {REGISTRY}=127.0.0.1:5000",
        )
    mirror = settings.get(MIRROR, "").strip().rstrip("/")
    plain = [each.removeprefix("http://").partition("/")[0] for each in (given, mirror) if each.startswith("http://")]
    address, mirror = (each.partition("://")[2] or each for each in (given, mirror))
    hosts = [each.partition("/")[0] for each in (address, mirror) if each]
    insecure = tuple(dict.fromkeys([*plain, *(each for each in hosts if is_loopback(each))]))
    return Registry(address=address.lower(), mirrors=(mirror,) if mirror else (), insecure=insecure)


def is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


def credentials(client: Any, registry: Registry) -> bytes:
    """Docker's `config.json` with what this machine has for the registry and its mirrors; empty where it has nothing."""
    from docker.auth import load_config
    from docker.errors import DockerException

    known: dict[str, Any] = {}
    config = load_config(credstore_env=getattr(client, "credstore_env", None))
    for host in dict.fromkeys([registry.host, *(each.partition("/")[0] for each in registry.mirrors)]):
        try:
            found = config.resolve_authconfig(host)
        except DockerException:
            found = None
        if found and found.get("identitytoken"):
            known[host] = {"identitytoken": found["identitytoken"]}
        elif found and found.get("username") is not None:
            pair = f"{found['username']}:{found.get('password', '')}"
            known[host] = {"auth": base64.b64encode(pair.encode()).decode()}
    return json.dumps({"auths": known}).encode()

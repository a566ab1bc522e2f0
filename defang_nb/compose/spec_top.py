"""The top level of a Compose file, and the resources that stand there."""

from __future__ import annotations

from typing import Final

from defang_nb.compose.jobs import Job
from defang_nb.compose.kinds import Any_, Bool, Context, Int, Scalar, Str
from defang_nb.compose.nodes import Map, Node, Path, show
from defang_nb.compose.relations import NAME, External, Resource
from defang_nb.compose.shapes import KeyValues, ListOf, MapOf, Struct
from defang_nb.compose.spec import SERVICE
from defang_nb.model.source import Position

_STR: Final = Str()
_BOOL: Final = Bool()
_OPTIONS: Final = MapOf(Scalar())
_IPAM: Final = Struct(
    {
        "driver": _STR,
        "config": ListOf(Struct({"subnet": _STR, "ip_range": _STR, "gateway": _STR, "aux_addresses": MapOf(_STR, ".+")})),
        "options": MapOf(_STR, ".+"),
    }
)
_NETWORK: Final = Resource(
    {
        "name": _STR,
        "driver": _STR,
        "driver_opts": _OPTIONS,
        "ipam": _IPAM,
        "external": External(),
        "internal": _BOOL,
        "enable_ipv4": _BOOL,
        "enable_ipv6": _BOOL,
        "attachable": _BOOL,
        "labels": KeyValues(""),
    },
    nullable=True,
)
_VOLUME: Final = Resource(
    {"name": _STR, "driver": _STR, "driver_opts": _OPTIONS, "external": External(), "labels": KeyValues("", once=True)},
    nullable=True,
)
_FILE = {
    "name": _STR,
    "environment": _STR,
    "file": _STR,
    "external": External(),
    "labels": KeyValues("", once=True),
    "template_driver": _STR,
}
_SECRET: Final = Resource({**_FILE, "driver": _STR, "driver_opts": _OPTIONS}, nullable=False)
_CONFIG: Final = Resource({**_FILE, "content": _STR}, nullable=False)
_MODEL: Final = Struct(
    {"name": _STR, "model": _STR, "context_size": Int(strict=True), "runtime_flags": ListOf(_STR)},
    required=("model",),
)


class _Services(MapOf):
    """Services by name. Keys of a service that are not indented enough are told as such."""

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        owner = ""
        for key, each in list(value.items()) if isinstance(value, Map) else ():
            here = (*path, key)
            if key in SERVICE.fields and not isinstance(each, Map):
                if owner and value.get(owner, owner) is None:
                    del value[owner]
                    ctx.problems.mark((*path, owner))
                hint = f"indent it further, under `{owner}:`" if owner else "it stands under the name of a service: `web:`"
                ctx.refuse("wrong-type", f'"{key}" is a key of a service, not a service', value.key_at(key), here, hint)
                del value[key]
            else:
                owner = key
        for key in [key for key, each in value.items() if each is None] if isinstance(value, Map) else ():
            message = f"{show((*path, key))} must be a mapping, but it is empty"
            hint = "give it an image, indented below: `image: …`, or a `build: .`"
            ctx.refuse("wrong-type", message, value.value_at(key), (*path, key), hint)
            del value[key]
        return super().read(value, at, path, ctx)


FILE: Final = Struct(
    {
        "version": _STR,
        "name": _STR,
        "include": Any_(),
        "services": _Services(SERVICE, NAME, "service name"),
        "networks": MapOf(_NETWORK, NAME, "network name"),
        "volumes": MapOf(_VOLUME, NAME, "volume name"),
        "secrets": MapOf(_SECRET, NAME, "secret name"),
        "configs": MapOf(_CONFIG, NAME, "config name"),
        "models": MapOf(_MODEL, NAME, "model name"),
        "jobs": MapOf(Job(), NAME, "job name"),
    }
)
"""A whole file. `include` is read on its own, before anything else."""

RESOURCES: Final = ("services", "networks", "volumes", "secrets", "configs", "models")

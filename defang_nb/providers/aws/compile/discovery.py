"""How services find each other: a private DNS namespace for each project, in which they have their own names.

`db` is found as `db.<project>.<stack>.internal`. Names in environment values are rewritten to that; and as containers look
names up in this namespace first, a bare `db` in a program or its configuration is found too, where the C library does as glibc.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from defang_nb.model.project import Service
from defang_nb.model.resource import Resource
from defang_nb.model.value import Json, ref
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.compile import stores
from defang_nb.providers.aws.compile.context import Context

_INTERNAL = "internal"
SEARCH = "LOCALDOMAIN"
"""The variable by which resolv.conf(5) lets a process search another domain."""


def namespace(context: Context) -> str:
    return f"{re.sub('[^a-z0-9-]', '-', context.project.name)}.{context.stack}.internal"


def found(context: Context) -> list[Service]:
    """Services that others can call. A lone one too: another that joins it changes nothing about it."""
    services = context.project.services.values()
    return [each for each in services if not each.one_off and stores.is_container(each)]


def hosts(context: Context) -> dict[str, Json]:
    """Service → the name by which the others reach it."""
    return {service.name: f"{service.name}.{namespace(context)}" for service in found(context)}


def environment(context: Context) -> dict[str, str]:
    return {SEARCH: namespace(context)}


def resources(context: Context) -> Iterator[Resource]:
    called = found(context)
    if called:
        made: dict[str, Json] = {"name": namespace(context), "vpc": context.base.vpc}
        yield context.resource(kinds.NAMESPACE, _INTERNAL, made, title="names of services")
    for service in called:
        inputs = {"namespace": ref(context.urn(kinds.NAMESPACE, _INTERNAL), "id"), "name": service.name}
        yield context.resource(kinds.NAME, service.name, inputs, service=service.name, title=f"name {service.name}")

"""Managed stores as containers: the image when none is named, where its data is, and how to see that it answers."""

from __future__ import annotations

import msgspec

from defang_nb.model.project import Healthcheck, ManagedKind, Service
from defang_nb.providers.local.process.embedded import image_name

_IMAGES = {ManagedKind.POSTGRES: "postgres:17", ManagedKind.REDIS: "redis:8", ManagedKind.MONGODB: "mongo:8"}
_KINDS = {
    "postgres": ManagedKind.POSTGRES,
    "pgvector/pgvector": ManagedKind.POSTGRES,
    "redis": ManagedKind.REDIS,
    "valkey/valkey": ManagedKind.REDIS,
    "mongo": ManagedKind.MONGODB,
}
_DATA = {
    ManagedKind.POSTGRES: "/var/lib/postgresql/data",
    ManagedKind.REDIS: "/data",
    ManagedKind.MONGODB: "/data/db",
}
"""Where the usual images keep their data. Postgres 18's moved a level up: see `_data`."""
_CHECKS = {
    ManagedKind.POSTGRES: (
        'pg_isready -q -h localhost -U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"'
    ),
    ManagedKind.REDIS: "redis-cli ping 2>&1 | grep -qE 'PONG|NOAUTH'",
    ManagedKind.MONGODB: "mongosh --quiet --eval 'db.adminCommand({ping: 1})'",
}


def kind(service: Service) -> ManagedKind | None:
    """What kind of store a service is, by its extension or by its image; None for all else."""
    if service.managed is not None:
        return service.managed.kind if service.managed.kind in _IMAGES else None
    return _KINDS.get(image_name(service.image)) if service.image and service.build is None else None


def image(service: Service) -> str:
    """The image of a store that names none; "" for what is no store."""
    found = kind(service)
    return _IMAGES[found] if found else ""


def completed(service: Service) -> Service:
    """A store with a health check, if it has none of its own: who depends on it waits until it answers."""
    found = kind(service)
    if found is None or service.healthcheck is not None:
        return service
    check = Healthcheck(test=("CMD-SHELL", _CHECKS[found]), interval=5.0, timeout=5.0, retries=12, start_period=30.0)
    return msgspec.structs.replace(service, healthcheck=check)


def undeclared_data(service: Service) -> str:
    """Where a store keeps data that no volume of its own is for; "" when it has one, or keeps none."""
    found = kind(service)
    if found is None:
        return ""
    place = _data(found, service.image or _IMAGES[found])
    held = [each.target.rstrip("/") for each in service.volumes]
    return "" if any(place == each or place.startswith(f"{each}/") for each in held) else place


def _data(found: ManagedKind, name: str) -> str:
    tag = name.rpartition(":")[2]
    major = "".join(each for each in tag.split(".")[0].split("-")[0] if each.isdigit())
    if found is ManagedKind.POSTGRES and major and int(major) >= 18:
        return "/var/lib/postgresql"
    return _DATA[found]

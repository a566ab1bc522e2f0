"""The stores that an app can be given: their services, what the app is told of them, and the driver it needs."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from defang_nb.scaffold.requirements import Requirement, canonical, pinned


@dataclass(frozen=True)
class Store:
    """`{name}` in the environment's values is the app's name, as an identifier. `generated` are secrets nobody has to know."""

    name: str
    environment: Mapping[str, str]
    base: Mapping[str, Any]
    any_of: tuple[str, ...]
    generated: tuple[str, ...] = ()
    database: str = ""
    paired: Mapping[str, str] = field(default_factory=dict)
    """A library → the driver that it takes by itself."""

    def service(self, name: str) -> dict[str, Any]:
        environment = dict(self.base.get("environment", {}))
        if self.database:
            environment[self.database] = name
        return {**self.base, **({"environment": environment} if environment else {})}

    def drivers(self, present: Set[str]) -> list[Requirement]:
        """What has to be added so that the app can speak to it, given the names of what it has."""
        if present & {canonical(each) for each in self.any_of}:
            return []
        chosen = next((driver for library, driver in self.paired.items() if library in present), self.any_of[0])
        return [Requirement(pinned(chosen), f"speaks to {self.name}")]


STORES: Mapping[str, Store] = {
    "postgres": Store(
        name="postgres",
        environment={"DATABASE_URL": "postgresql://postgres:${{POSTGRES_PASSWORD}}@postgres:5432/{name}"},
        base={
            "image": "postgres:16",
            "x-defang-postgres": True,
            "restart": "unless-stopped",
            "environment": {"POSTGRES_PASSWORD": None},
            "ports": [{"target": 5432, "mode": "host"}],
            "healthcheck": {
                "test": ["CMD-SHELL", "pg_isready -U postgres"], "interval": "2s", "timeout": "3s", "retries": 15,
            },
            "deploy": {"resources": {"reservations": {"cpus": "0.25", "memory": "256M"}}},
        },
        any_of=("psycopg[binary]", "psycopg2-binary", "psycopg2", "asyncpg", "pg8000"),
        generated=("POSTGRES_PASSWORD",),
        database="POSTGRES_DB",
        paired={"sqlalchemy": "psycopg2-binary"},
    ),
    "redis": Store(
        name="redis",
        environment={"REDIS_URL": "redis://redis:6379/0"},
        base={
            "image": "redis:7",
            "x-defang-redis": True,
            "restart": "unless-stopped",
            "ports": [{"target": 6379, "mode": "host"}],
            "healthcheck": {
                "test": ["CMD", "redis-cli", "ping"], "interval": "2s", "timeout": "3s", "retries": 15,
            },
            "deploy": {"resources": {"reservations": {"cpus": "0.25", "memory": "128M"}}},
        },
        any_of=("redis", "valkey", "coredis"),
    ),
}  # fmt: skip

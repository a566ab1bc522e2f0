"""Managed stores: a Postgres of RDS, a Valkey of ElastiCache, a MongoDB of DocumentDB. Only the project's services are let in.

The service's name, wherever an environment value has it, becomes the store's own address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from defang_nb.model.project import Managed, ManagedKind, Service
from defang_nb.model.resource import Need, Options, Resource
from defang_nb.model.value import Json, Text, config, config_keys, ref
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.compile import documents, sizes
from defang_nb.providers.aws.compile.context import Context
from defang_nb.providers.local.process.names import as_json, renamed

PORTS: Mapping[ManagedKind, int] = {
    ManagedKind.POSTGRES: 5432,
    ManagedKind.REDIS: 6379,
    ManagedKind.MONGODB: 27017,
}
"""What a store answers at: AWS is asked for the usual port."""
TYPES: Mapping[ManagedKind, str] = {
    ManagedKind.POSTGRES: kinds.DATABASE,
    ManagedKind.REDIS: kinds.CACHE,
    ManagedKind.MONGODB: kinds.DOCUMENT_NODE,
}
PASSWORD, USER, NAME = "POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB"
"""Variables of the image `postgres`, which mean here what they mean there."""
GIVEN = "PGPASSWORD"
"""By which libpq and its like know a password that the address does not have."""
RULE = "8 to 128 letters, digits and signs, and none of / ' \" @ and blank"
"""What a password of RDS is."""
_MODELS = (
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
    "bedrock:ListFoundationModels",
    "bedrock:ListInferenceProfiles",
)
"""What gateways to Bedrock call; `Converse` asks for `InvokeModel`."""
_RESERVED = ("admin", "rdsadmin", "rds_superuser", "rdsrepladmin")
_POSTGRES, _VALKEY = "17", "8.0"
_STORAGE, _MOST = 20, 1000
"""GiB that a database has at first, and to how many RDS may let it grow."""
_KEPT = {False: 1, True: 7}
"""Days that RDS keeps its daily backups, by whether what is deleted is kept too."""


class Rung(msgspec.Struct, frozen=True):
    """A size that a store can have: its name, virtual CPUs, MiB."""

    name: str
    cpus: int
    memory: int


_DATABASES = tuple(
    Rung(f"db.{name}", cpus, gib * 1024)
    for name, cpus, gib in (
        ("t4g.micro", 2, 1), ("t4g.small", 2, 2), ("t4g.medium", 2, 4), ("t4g.large", 2, 8), ("t4g.xlarge", 4, 16),
        ("t4g.2xlarge", 8, 32), ("r7g.2xlarge", 8, 64), ("r7g.4xlarge", 16, 128), ("r7g.8xlarge", 32, 256),
        ("r7g.16xlarge", 64, 512),
    )
)  # fmt: skip
"""Source: Amazon RDS User Guide, "DB instance classes"."""
_CACHES = tuple(
    Rung(f"cache.{name}", cpus, memory)
    for name, cpus, memory in (
        ("t4g.micro", 2, 512), ("t4g.small", 2, 1402), ("t4g.medium", 2, 3164), ("r7g.large", 2, 13383),
        ("r7g.xlarge", 4, 26952), ("r7g.2xlarge", 8, 54087), ("r7g.4xlarge", 16, 108349), ("r7g.8xlarge", 32, 214835),
        ("r7g.16xlarge", 64, 429282),
    )
)  # fmt: skip
"""Source: Amazon ElastiCache User Guide, "Supported node types"."""
_DOCUMENTS = tuple(
    Rung(f"db.{name}", cpus, gib * 1024)
    for name, cpus, gib in (
        ("t4g.medium", 2, 4), ("r6g.large", 2, 16), ("r6g.xlarge", 4, 32), ("r6g.2xlarge", 8, 64), ("r6g.4xlarge", 16, 128),
        ("r6g.8xlarge", 32, 256), ("r6g.16xlarge", 64, 512),
    )
)  # fmt: skip
"""Source: Amazon DocumentDB Developer Guide, "Managing instance classes"."""
LADDERS: Mapping[ManagedKind, Sequence[Rung]] = {
    ManagedKind.POSTGRES: _DATABASES,
    ManagedKind.REDIS: _CACHES,
    ManagedKind.MONGODB: _DOCUMENTS,
}
_SECRETS: Mapping[ManagedKind, str] = {ManagedKind.POSTGRES: PASSWORD, ManagedKind.MONGODB: documents.PASSWORD}
"""The variable of a store's password, of those that have one."""


def is_store(service: Service) -> bool:
    return service.managed is not None and service.managed.kind in TYPES


def is_container(service: Service) -> bool:
    """Whether it is a task of ECS: a language model's gateway is one too, which may call Bedrock."""
    return service.static_files is None and (service.managed is None or service.managed.kind is ManagedKind.LLM)


def statements(service: Service) -> list[Json]:
    """What a service's role may do for what it is. Each model is used as the account has access to it."""
    if service.managed is None or service.managed.kind is not ManagedKind.LLM:
        return []
    return [{"Effect": "Allow", "Action": list(_MODELS), "Resource": "*"}]


def stores(context: Context) -> list[Service]:
    return [each for each in context.project.services.values() if is_store(each)]


def main_type(service: Service) -> str:
    """Of a service that is a store."""
    return TYPES[_managed(service).kind]


def hosts(context: Context) -> dict[str, Json]:
    """Store → its address, which is known once it runs."""
    return {each.name: ref(context.urn(main_type(each), each.name), "address") for each in stores(context)}


def rung(service: Service) -> Rung | None:
    """The smallest that has as much as is asked for; None: there is none so large."""
    asked = sizes.wanted(service.resources)
    fitting = (
        each for each in LADDERS[_managed(service).kind] if each.cpus * 1024 >= asked.cpu and each.memory >= asked.memory
    )
    return next(fitting, None)


def resources(context: Context) -> Iterator[Resource]:
    there = {_managed(each).kind: None for each in stores(context)}
    made: dict[str, Json] = {"subnets": list(context.base.subnets)}
    for type_, of in ((kinds.SUBNETS, _SECRETS), (kinds.CACHE_SUBNETS, (ManagedKind.REDIS,))):
        if found := [kind.value for kind in there if kind in of]:
            yield context.resource(type_, kinds.STORES, made, title=f"subnets of {' and '.join(found)}")
    for service in stores(context):
        yield from _store(context, service)


def _store(context: Context, service: Service) -> Iterator[Resource]:
    port = PORTS[_managed(service).kind]
    said: dict[str, Json] = {
        "vpc": context.base.vpc,
        "ingress": [{"port": port, "from": ref(context.urn(kinds.GROUP, kinds.TASK_GROUP), "id")}],
        "description": f"{service.name} of {context.project.name}",
    }
    yield context.resource(kinds.GROUP, _group(service), said, service=service.name, title=f"network of {service.name}")
    if generated(context, service):
        name = f"{service.name}/{_SECRETS[_managed(service).kind]}"
        yield context.resource(kinds.PASSWORD, name, {}, service=service.name, title=f"password of {service.name}")
    match _managed(service).kind:
        case ManagedKind.POSTGRES:
            yield _postgres_parameters(context, service)
            inputs = _postgres(context, service)
        case ManagedKind.MONGODB:
            yield _documents(context, service)
            inputs = _documents_node(context, service)
            if context.mode.multi_az:
                yield _second_node(context, service, inputs)
        case _:
            inputs = _redis(context, service)
    yield Resource(
        urn=context.urn(main_type(service), service.name),
        type=main_type(service),
        inputs=inputs,
        options=Options(protect=True),
        service=service.name,
        main=True,
        title=service.name,
    )


def _managed(service: Service) -> Managed:
    if service.managed is None:
        raise ValueError(f"{service.name} is no store")
    return service.managed


def _group(service: Service) -> str:
    return f"{service.name}:store"


def _common(context: Context, service: Service) -> dict[str, Json]:
    managed = _managed(service)
    return {
        "class": (rung(service) or LADDERS[managed.kind][-1]).name,
        "port": PORTS[managed.kind],
        "multi_az": context.mode.multi_az,
        "groups": [ref(context.urn(kinds.GROUP, _group(service)), "id")],
        "final_snapshot": context.mode.final_snapshot,
        "backup_days": _KEPT[context.mode.final_snapshot],
        "from_snapshot": managed.from_snapshot,
        "allow_downtime": managed.allow_downtime,
    }


def major(service: Service) -> str:
    """`postgres:16-alpine`, `pgvector/pgvector:pg16` → 16; the newest that is well known, where none is said."""
    tag = service.image.partition("@")[0].rpartition(":")[2] if ":" in service.image else ""
    found = re.match(r"(?:pg)?(\d+)", tag)
    return found[1] if found else _POSTGRES


def _parameters(service: Service) -> str:
    """Another version has other parameters, and both are there while the database changes from one to the other."""
    return f"{service.name}:postgres{major(service)}"


def generated(context: Context, service: Service) -> str:
    """The urn of the password of a database for which none is given; "" where one is, and for other stores."""
    variable = _SECRETS.get(service.managed.kind) if service.managed else None
    if variable is None or service.environment.get(variable):
        return ""
    return context.urn(kinds.PASSWORD, f"{service.name}/{variable}")


def _postgres_parameters(context: Context, service: Service) -> Resource:
    # What a container takes, this takes too: a client without TLS. Nobody but the project's services gets this far.
    family: dict[str, Json] = {"family": f"postgres{major(service)}", "parameters": {"rds.force_ssl": "0"}}
    name = _parameters(service)
    return context.resource(kinds.PARAMETERS, name, family, service=service.name, title=f"parameters of {service.name}")


def _postgres(context: Context, service: Service) -> dict[str, Json]:
    user = _said(service, USER, ("postgres",))
    database = as_json(_said(service, NAME, user))
    return {
        **_common(context, service),
        **_owned_by(context, service, as_json(user), [database]),
        "version": major(service),
        "storage": _STORAGE,
        "most_storage": _MOST,
        "database": database,
        "parameters": ref(context.urn(kinds.PARAMETERS, _parameters(service)), "name"),
    }


def _owned_by(context: Context, service: Service, user: Json, more: Sequence[Json] = ()) -> dict[str, Json]:
    """Of a database: its user with the password, and what holds for all of them. `more`: texts that may hold configuration."""
    password = generated(context, service)
    given = as_json(service.environment.get(_SECRETS[_managed(service).kind], ()))
    return {
        "user": user,
        "password": {"parameter": ref(password, "name")} if password else {"text": given},
        "config_digests": context.digests_of([given, user, *more]),
        "subnets": ref(context.urn(kinds.SUBNETS, kinds.STORES), "name"),
        "deletion_protection": context.mode.deletion_protection,
    }


def _documents(context: Context, service: Service) -> Resource:
    user = as_json(_said(service, documents.USER, (documents.OWNER,)))
    inputs = documents.cluster(service, {**_common(context, service), **_owned_by(context, service, user)})
    return context.resource(
        kinds.DOCUMENTS, service.name, inputs, service=service.name, title=f"cluster of {service.name}", protect=True
    )


def _documents_node(context: Context, service: Service) -> dict[str, Json]:
    urn, common = context.urn(kinds.DOCUMENTS, service.name), _common(context, service)
    found: dict[str, Json] = {key: ref(urn, key) for key in ("cluster", "address")}
    return found | {key: common[key] for key in ("class", "port", "allow_downtime")}


def _second_node(context: Context, service: Service, inputs: Mapping[str, Json]) -> Resource:
    """In another zone: it takes over when the first is lost."""
    title = f"second of {service.name}"
    return context.resource(kinds.DOCUMENT_NODE, f"{service.name}/2", inputs, service=service.name, title=title, protect=True)


def refused(service: Service, key: str) -> str | None:
    """Why AWS does not take the value of one of a store's variables, as far as it is written out; None, where it does.

    Source: Amazon RDS API Reference, CreateDBInstance.
    """
    text = service.environment.get(key) or ()
    if not text or not all(isinstance(part, str) for part in text):
        return None
    value = "".join(str(part) for part in text)
    if key in (documents.PASSWORD, documents.USER):
        return documents.refused(key, value)
    if key == PASSWORD:
        return None if fits(value) else RULE
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", value):
        return "begins with a letter, and has letters, digits and _ only, 63 at most"
    return f"{value} is RDS's own" if value.lower() in _RESERVED and key == USER else None


def fits(password: str) -> bool:
    """Whether RDS takes it."""
    return re.fullmatch(r"[!-~]{8,128}", password) is not None and not set(password) & set("/'\"@")


def _said(service: Service, key: str, otherwise: Text) -> Text:
    return service.environment.get(key) or otherwise


def _redis(context: Context, service: Service) -> dict[str, Json]:
    return {
        **_common(context, service),
        "version": _VALKEY,
        "replicas": 1 if context.mode.multi_az else 0,
        "subnets": ref(context.urn(kinds.CACHE_SUBNETS, kinds.STORES), "name"),
    }


def environment(context: Context, service: Service, found: Mapping[str, Json]) -> dict[str, Json]:
    """A service's environment as inputs, in which stores and services have the names by which they are found (`found`)."""
    values = renamed(service.environment, found)
    for store in stores(context):
        if _managed(store).kind is ManagedKind.MONGODB:
            credentials = _credentials(context, store)
            values = {key: documents.completed(value, found[store.name], credentials) for key, value in values.items()}
    secure = [found[each.name] for each in stores(context) if _managed(each).kind is ManagedKind.REDIS]
    return {key: value if _plain_only(key) else _with_tls(value, secure) for key, value in values.items()}


def _credentials(context: Context, store: Service) -> list[Json]:
    """Of a MongoDB whose password was made here: what an address needs. Others' passwords stand in the addresses already."""
    if not (urn := generated(context, store)):
        return []
    return [as_json(_said(store, documents.USER, (documents.OWNER,))), ":", config(f"made-for/{names.parts(urn)[1]}")]


def made_passwords(context: Context, value: Json) -> dict[str, Need]:
    """What has to be there before a text with made passwords can be put together."""
    wanted = set(config_keys(value))
    made = [urn for each in stores(context) if (urn := generated(context, each))]
    return {urn: Need.CREATED for urn in made if f"made-for/{names.parts(urn)[1]}" in wanted}


def passwords(context: Context, service: Service) -> dict[str, Json]:
    """`PGPASSWORD` of a service that uses a database whose password was made here: the name of its parameter."""
    if GIVEN in service.environment:
        return {}
    for each in stores(context):
        is_postgres = _managed(each).kind is ManagedKind.POSTGRES
        if is_postgres and (urn := generated(context, each)) and uses(service, each):
            return {GIVEN: ref(urn, "name")}
    return {}


def uses(service: Service, store: Service) -> bool:
    """Whether a service says that it depends on a store, or names it."""
    names = {store.name: ref("x", "y")}
    return store.name in service.depends_on or renamed(service.environment, names) != renamed(service.environment, {})


def _plain_only(key: str) -> bool:
    """Celery takes a `rediss://` only with words of its own after it."""
    return "CELERY" in key.upper()


def _with_tls(value: Json, secure: Sequence[Json]) -> Json:
    """`redis://…<address>` as `rediss://…`, for the addresses of managed stores."""
    match value:
        case {"$join": list(parts)}:
            made, scheme = list(parts), -1
            for place, part in enumerate(parts):
                if isinstance(part, str) and "://" in part:
                    scheme = place
                if part in secure and scheme >= 0 and isinstance(made[scheme], str):
                    made[scheme] = re.sub(r"(?<![A-Za-z0-9+.-])redis://(?![\s\S]*://)", "rediss://", made[scheme])
            return {"$join": made}
    return value

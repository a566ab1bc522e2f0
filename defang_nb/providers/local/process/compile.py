"""A project as resources of this engine. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.model.image import ImageSource
from defang_nb.model.project import Condition, ManagedKind, Mount, Port, PortMode, Project, Service
from defang_nb.model.resource import Need, Options, Resource, urn
from defang_nb.model.value import Json, config_keys, ref
from defang_nb.providers.local.process import embedded
from defang_nb.providers.local.process.images.image import RECIPE
from defang_nb.providers.local.process.names import Listener, as_json, mentioned, rewrite
from defang_nb.providers.local.process.types.redis import options

ADDRESS, IMAGE = "local:process/Address", "local:process/Image"
SERVICE, JOB, SITE = "local:process/Service", "local:process/Job", "local:process/Site"
POSTGRES, REDIS, DATA = "local:process/Postgres", "local:process/Redis", "local:process/Data"
_STORE_PORT = {ManagedKind.POSTGRES: 5432, ManagedKind.REDIS: 6379}


def compile_project(
    project: Project, images: Sequence[ImageSource], digests: Mapping[str, str], *, exclude_newer: str = ""
) -> list[Resource]:
    """Addresses, images, folders of data, and one main resource for each service."""
    compiler = _Compiler(project, images, digests, exclude_newer)
    mains = [compiler.main(service) for service in project.services.values()]
    return [*compiler.addresses(), *compiler.images(), *compiler.data(), *mains]


def main_type(service: Service) -> str:
    match embedded.store_kind(service):
        case ManagedKind.POSTGRES:
            return POSTGRES
        case ManagedKind.REDIS:
            return REDIS
    if service.static_files:
        return SITE
    return JOB if service.one_off else SERVICE


class _Compiler:
    def __init__(self, project: Project, images: Sequence[ImageSource], digests: Mapping[str, str], exclude_newer: str) -> None:
        self.project = project
        self.sources = images
        self.digests = digests
        self.exclude_newer = exclude_newer
        self.targets = _targets(project)
        self.listeners = {name: self._listener(name, targets) for name, targets in self.targets.items() if targets}

    def addresses(self) -> list[Resource]:
        return [
            Resource(
                urn=self._urn(ADDRESS, name),
                type=ADDRESS,
                inputs={"ports": [_wanted(self.project.services[name], target) for target in targets]},
                service=name,
                title=f"ports of {name}",
            )
            for name, targets in self.targets.items()
            if targets
        ]

    def images(self) -> list[Resource]:
        return [
            Resource(
                urn=self._urn(IMAGE, source.name),
                type=IMAGE,
                inputs=self._with_digests(
                    {
                        "reference": source.reference,
                        # Which services use an image is no part of it: one more or less builds nothing.
                        "source": source.recipe,
                        "args": {key: as_json(text) for key, text in source.args.items()},
                        "recipe": RECIPE,
                        "exclude_newer": self.exclude_newer,
                    }
                ),
                service=source.services[0],
                title=f"image of {', '.join(source.services)}",
            )
            for source in self.sources
        ]

    def data(self) -> list[Resource]:
        """What holds data, of stores and named volumes: protected, so that it goes only when that is agreed to."""
        stores = {name: f"data of {name}" for name, each in self.project.services.items() if embedded.store_kind(each)}
        volumes = {
            name: f"volume {name.partition('/')[2]}" for each in self.project.services.values() for name in _volumes(each)
        }
        return [
            Resource(
                urn=self._urn(DATA, name),
                type=DATA,
                inputs={},
                options=Options(protect=True),
                service=name if name in stores else "",
                title=title,
            )
            for name, title in (stores | volumes).items()
        ]

    def main(self, service: Service) -> Resource:
        type_ = main_type(service)
        if type_ == POSTGRES:
            inputs = self._postgres(service)
        elif type_ == REDIS:
            inputs = self._redis(service)
        else:
            inputs = self._service(service)
        return Resource(
            urn=self._urn(type_, service.name),
            type=type_,
            inputs=self._with_digests(inputs, self._source(service)),
            options=Options(depends_on=self._needs(service)),
            service=service.name,
            main=True,
            title=service.name,
        )

    def _postgres(self, service: Service) -> dict[str, Json]:
        env = service.environment
        user = as_json(env.get("POSTGRES_USER") or ("postgres",))
        return {
            "major": embedded.postgres_major(service.image),
            "user": user,
            "password": as_json(env.get("POSTGRES_PASSWORD", ())),
            "database": as_json(env["POSTGRES_DB"]) if env.get("POSTGRES_DB") else user,
            "ports": ref(self._urn(ADDRESS, service.name), "ports"),
        }

    def _redis(self, service: Service) -> dict[str, Json]:
        given = options(_words(service.command))
        # `--requirepass $REDIS_PASSWORD`, as a shell in the container would read it; Redis' image knows no variable by itself.
        named = "".join(given.get("requirepass", ())).strip("\"'${}")
        password = service.environment.get(named, ()) if named else ()
        if password:
            del given["requirepass"]
        return {
            "options": given,
            "password": as_json(password),
            "ports": ref(self._urn(ADDRESS, service.name), "ports"),
        }

    def _service(self, service: Service) -> dict[str, Json]:
        """The inputs of a service, a job or a site."""
        source = self._source(service)
        check = service.healthcheck
        inputs: dict[str, Json] = {
            "image": ref(self._urn(IMAGE, source.name), "path") if source else "",
            "image_reference": source.reference if source else "",
            "entrypoint": list(service.entrypoint) if service.entrypoint is not None else None,
            "command": list(service.command) if service.command is not None else None,
            "working_dir": service.working_dir,
            "environment": rewrite(service.environment, self.listeners),
            "ports": ref(self._urn(ADDRESS, service.name), "ports") if self.targets[service.name] else {},
            "listens": list(self.targets[service.name]),
            "endpoints": [_endpoint(port) for port in service.ports if port.protocol == "tcp"],
            "healthcheck": msgspec.to_builtins(check) if check else None,
            "restart": service.restart,
            "replicas": 1 if service.ports else service.replicas,
            "one_off": service.one_off,
            "stop_signal": service.stop_signal.removeprefix("SIG"),
            "stop_grace_period": service.stop_grace_period,
            "mounts": [_mount(mount) for mount in service.volumes],
            "plain_postgres": any(embedded.store_kind(each) is ManagedKind.POSTGRES for each in self.project.services.values()),
        }
        if service.static_files:
            inputs |= {"folder": self.project.site_folder(service), "redirects": list(service.static_files.redirects)}
        return inputs

    def _needs(self, service: Service) -> dict[str, Need]:
        """What is waited for: see `_need`. A dependency that does not exist, and need not, is none."""
        data = [service.name] if embedded.store_kind(service) else _volumes(service)
        return {self._urn(DATA, name): Need.CREATED for name in data} | {
            self._urn(main_type(self.project.services[name]), name): _need(self.project.services[name], dependency.condition)
            for name, dependency in service.depends_on.items()
            if name in self.project.services
        }

    def _source(self, service: Service) -> ImageSource | None:
        return next((each for each in self.sources if service.name in each.services), None)

    def _with_digests(self, inputs: dict[str, Json], source: ImageSource | None = None) -> dict[str, Json]:
        """With a keyed digest of each configuration value that is used, by the image too, so that another value is a change."""
        arguments = [as_json(text) for text in source.args.values()] if source else []
        used = sorted(set(config_keys([inputs, arguments])))
        return {**inputs, "config_digests": {key: self.digests.get(key, "") for key in used}}

    def _listener(self, name: str, targets: Sequence[int]) -> Listener:
        address = self._urn(ADDRESS, name)
        kind = embedded.store_kind(self.project.services[name])
        return Listener(
            name=name,
            targets=tuple(targets),
            host=ref(address, "host"),
            ports={target: ref(address, f"port_{target}") for target in targets},
            managed=kind.value if kind else "",
        )

    def _urn(self, type_: str, name: str) -> str:
        return urn(self.project.name, type_, name)


def _targets(project: Project) -> dict[str, tuple[int, ...]]:
    """The ports of each service: those that it says, and those by which others call it."""
    names = list(project.services)
    said: dict[str, list[int]] = {}
    for service in project.services.values():
        kind = embedded.store_kind(service)
        if kind:
            said[service.name] = [_STORE_PORT[kind]]
        else:
            said[service.name] = [*(port.target for port in service.ports if port.protocol == "tcp"), *service.expose]
        if service.static_files and not said[service.name]:
            said[service.name] = [80]
    for service in project.services.values():
        for text in service.environment.values():
            for name, port in mentioned(text, names):
                if not embedded.store_kind(project.services[name]) and not project.services[name].one_off:
                    said[name].append(port)
    return {name: tuple(dict.fromkeys(ports)) for name, ports in said.items()}


def _wanted(service: Service, target: int) -> Json:
    """`exact`: the published port of a service of the user's is the address that people know it by."""
    port = next((each for each in service.ports if each.target == target), None)
    published = port.published if port else None
    exact = bool(port and published and port.mode is PortMode.INGRESS and embedded.store_kind(service) is None)
    return {"target": target, "published": published, "exact": exact}


def _endpoint(port: Port) -> Json:
    public = port.mode is PortMode.INGRESS and port.http
    return {"target": port.target, "scheme": "http" if port.http else "tcp", "public": public}


def _need(dependency: Service, condition: Condition) -> Need:
    """service_started waits for the start only, but for two: an app takes a store that it starts after to be usable, and a
    one-off (a migration) to be done; without an engine's retries they would fail, and nobody means that."""
    if condition is Condition.STARTED and embedded.store_kind(dependency) is None and not dependency.one_off:
        return Need.CREATED
    return Need.READY


def _volumes(service: Service) -> list[str]:
    """The names of the folders of data that its named volumes are; a store's own volumes are its data already."""
    named = [mount.source for mount in service.volumes if mount.kind == "volume" and mount.source]
    return [] if embedded.store_kind(service) else [f"volumes/{name}" for name in named]


def _mount(mount: Mount) -> Json:
    return {"kind": mount.kind, "source": mount.source, "target": mount.target}


def _words(command: tuple[str, ...] | None) -> list[str]:
    words = list(command or ())
    if len(words) == 3 and words[1] == "-c":
        words = words[2].split()
    return words[0].split() if len(words) == 1 else words

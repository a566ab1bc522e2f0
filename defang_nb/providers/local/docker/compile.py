"""A project as resources of a container engine. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from defang_nb.model.image import ImageSource
from defang_nb.model.project import Condition, FileMount, FileObject, Mount, Port, PortMode, Project, Service
from defang_nb.model.resource import Need, Options, Resource, urn
from defang_nb.model.value import Json, config_keys, ref
from defang_nb.providers.local.docker import spec, stores
from defang_nb.providers.local.process.names import as_json

IMAGE, PULLED = "local:docker/Image", "local:docker/PulledImage"
NETWORK, VOLUME, ADDRESS = "local:docker/Network", "local:docker/Volume", "local:docker/Address"
SERVICE, JOB = "local:docker/Service", "local:docker/Job"
SITE_IMAGE = "python:3-slim"
"""What serves static files: its standard library does."""
SITE_PORT = 80
SITE_SCRIPT, SITE_FOLDER = "/defang-nb/serve.py", "/site"


def compile_project(
    project: Project, images: Sequence[ImageSource], digests: Mapping[str, str], *, prefix: str, site_script: str = ""
) -> list[Resource]:
    """Networks, volumes, addresses, images, and one main resource for each service.

    `prefix` is what containers' names begin with; `site_script` is the file that serves static files.
    """
    compiler = _Compiler(project, images, digests, prefix, site_script)
    mains = [compiler.main(service) for service in project.services.values()]
    return [*compiler.networks(), *compiler.volumes(), *compiler.addresses(), *compiler.images(), *mains]


def main_type(service: Service) -> str:
    return JOB if service.one_off else SERVICE


class _Compiler:
    def __init__(
        self, project: Project, images: Sequence[ImageSource], digests: Mapping[str, str], prefix: str, site_script: str
    ) -> None:
        self.project = project
        self.sources = images
        self.digests = digests
        self.prefix = prefix
        self.site_script = site_script

    def networks(self) -> Iterator[Resource]:
        """Those that a service uses and that are not somebody else's."""
        used = {key for service in self.project.services.values() for key in service.networks}
        for key in sorted(used):
            said = self._network(key)
            if not said.get("external"):
                inputs = {name: value for name, value in said.items() if name not in ("external", "name")}
                title = "network" if key == "default" else f"network {key}"
                yield self._resource(NETWORK, key, {"name": self._network_name(key), **inputs}, title=title)

    def volumes(self) -> Iterator[Resource]:
        """Named ones and those of stores: protected, so that what they hold goes only when that is agreed to."""
        for service in self.project.services.values():
            if place := stores.undeclared_data(service):
                inputs = {"name": self._store_volume(service), "place": place}
                yield self._resource(VOLUME, f"data of {service.name}", inputs, service=service.name, protect=True)
        used = {each.source for service in self.project.services.values() for each in service.volumes if each.kind == "volume"}
        for key, volume in self.project.volumes.items():
            if key in used and not volume.external:
                said = (self.project.rest.get("volumes") or {}).get(key) or {}
                inputs = {name: said[name] for name in ("driver", "driver_opts", "labels") if said.get(name)}
                yield self._resource(VOLUME, key, {"name": volume.name, **inputs}, title=f"volume {key}", protect=True)

    def addresses(self) -> Iterator[Resource]:
        for service in self.project.services.values():
            if ports := self._fronted(service):
                wanted = [_wanted(each) for each in ports]
                yield self._resource(
                    ADDRESS, service.name, {"ports": wanted}, service=service.name, title=f"ports of {service.name}"
                )

    def images(self) -> Iterator[Resource]:
        for source in self.sources:
            inputs = {
                "reference": source.reference,
                # Which services use an image is no part of it: one more or less builds nothing.
                "source": source.recipe,
                "args": {key: as_json(text) for key, text in source.args.items()},
            }
            title = f"image of {', '.join(source.services)}"
            yield self._resource(IMAGE, source.name, self._with_digests(inputs), service=source.services[0], title=title)
        pulled: dict[tuple[str, str], Service] = {}
        for service in self.project.services.values():
            if service.build is None:
                pulled.setdefault((self._image_name(service), service.platform), service)
        for (name, platform), service in pulled.items():
            inputs = {"reference": name, "platform": platform, "policy": service.rest.get("pull_policy", "")}
            yield self._resource(PULLED, _pulled_key(name, platform), inputs, service=service.name, title=f"image {name}")

    def main(self, service: Service) -> Resource:
        inputs = self._inputs(service)
        return Resource(
            urn=self._urn(main_type(service), service.name),
            type=main_type(service),
            inputs=self._with_digests(inputs, self._source(service)),
            options=Options(depends_on=self._needs(service)),
            service=service.name,
            main=True,
            title=service.name,
        )

    def _inputs(self, service: Service) -> dict[str, Json]:
        """What the service says, by Compose's names, and what is made of it here."""
        service = self._completed(service)
        fronted = self._fronted(service)
        return {
            **spec.said(service),
            "image": self._image(service),
            "platform": service.platform,
            "environment": {key: as_json(text) for key, text in service.environment.items()},
            "networks": [
                {"id": self._network_id(key), "endpoint": spec.endpoint(service, key, self._linked(service))}
                for key in _by_priority(service)
                if not self._mode(service)
            ],
            "files": [self._file(each, self.project.configs) for each in service.configs]
            + [self._file(each, self.project.secrets) for each in service.secrets],
            "fronts": ref(self._urn(ADDRESS, service.name), "ports") if fronted else {},
            "hosts": {str(each.target): each.host_ip for each in fronted if each.host_ip},
            "direct": [_direct(each) for each in service.ports if each not in fronted],
            "endpoints": [_endpoint(each) for each in service.ports if each.protocol == "tcp"]
            or ([{"target": SITE_PORT, "scheme": "http", "public": True}] if service.static_files else []),
            "replicas": service.replicas,
            "prefix": self.prefix,
            "alone": self._alone(service),
        }

    def _completed(self, service: Service) -> Service:
        """With what is not said: a store's health check and volume, a site's server, the restart policy, volumes' names."""
        service = stores.completed(service)
        mounts = [msgspec.structs.replace(each, source=self._volume_name(each)) for each in service.volumes]
        if place := stores.undeclared_data(service):
            mounts.append(Mount(kind="volume", source=self._store_volume(service), target=place))
        if found := service.static_files:
            mounts.append(Mount(kind="bind", source=self.site_script, target=SITE_SCRIPT, read_only=True))
            if not service.build:
                mounts.append(Mount(kind="bind", source=self.project.site_folder(service), target=SITE_FOLDER, read_only=True))
            folder = found.folder if service.build else SITE_FOLDER
            service = msgspec.structs.replace(
                service,
                entrypoint=("python3", "-I", "-S", SITE_SCRIPT),
                command=(folder, str(SITE_PORT), *found.redirects),
                environment={**service.environment, "DEFANG_NB_BIND": ("0.0.0.0",)},  # noqa: S104 - inside of a container
            )
        return msgspec.structs.replace(service, volumes=tuple(mounts), restart=spec.restart(service))

    def _volume_name(self, each: Mount) -> str:
        known = self.project.volumes.get(each.source) if each.kind == "volume" else None
        return known.name if known else each.source

    def _file(self, each: FileMount, known: Mapping[str, FileObject]) -> Json:
        """Where it is to be, and what is in it: a file of this machine is mounted, everything else is written inside."""
        found = known[each.source]
        made: dict[str, Json] = {"target": each.target, "mode": 0o444 if each.mode is None else each.mode}
        if found.file:
            return made | {"source": found.file}
        return made | {"content": as_json(found.text)}

    def _alone(self, service: Service) -> bool:
        """Whether two of it can't run side by side: the old one goes before the new one comes."""
        shared = any(not each.read_only and each.kind in ("volume", "bind", "npipe", "cluster") for each in service.volumes)
        fixed = any((each or {}).get("ipv4_address") for each in (service.rest.get("networks") or {}).values())
        direct = any(each.published for each in service.ports if each not in self._fronted(service))
        own = stores.kind(service) is not None or service.rest.get("container_name") or self._mode(service)
        return bool(shared or fixed or direct or own or not self._fronted(service))

    def _fronted(self, service: Service) -> list[Port]:
        """The ports that a forwarder of ours answers on, for whichever containers are well."""
        if self._mode(service):
            return []
        found = [each for each in service.ports if each.protocol == "tcp" and each.mode is PortMode.INGRESS]
        return found or ([Port(target=SITE_PORT)] if service.static_files else [])

    def _mode(self, service: Service) -> str:
        """A network mode that takes the place of networks: `host`, `none`, or another service's (its urn, to be resolved)."""
        said = str(service.rest.get("network_mode") or "")
        return "" if said in ("", "bridge") else said

    def _image(self, service: Service) -> Json:
        source = self._source(service)
        if source is not None:
            return ref(self._urn(IMAGE, source.name), "image")
        return ref(self._urn(PULLED, _pulled_key(self._image_name(service), service.platform)), "image")

    def _image_name(self, service: Service) -> str:
        return service.image or stores.image(service) or SITE_IMAGE

    def _source(self, service: Service) -> ImageSource | None:
        return next((each for each in self.sources if service.name in each.services), None)

    def _needs(self, service: Service) -> dict[str, Need]:
        needs = {self._urn(NETWORK, key): Need.CREATED for key in service.networks if not self._network(key).get("external")}
        names = [each.source for each in service.volumes if each.kind == "volume" and each.source in self.project.volumes]
        names += [f"data of {service.name}"] if stores.undeclared_data(service) else []
        for name in names:
            if not (name in self.project.volumes and self.project.volumes[name].external):
                needs[self._urn(VOLUME, name)] = Need.CREATED
        for name, dependency in service.depends_on.items():
            if other := self.project.services.get(name):
                needs[self._urn(main_type(other), name)] = _need(other, dependency.condition)
        mode = self._mode(service).partition(":")
        if mode[0] == "service" and mode[2] in self.project.services:
            needs[self._urn(main_type(self.project.services[mode[2]]), mode[2])] = Need.CREATED
        return needs

    def _network(self, key: str) -> Mapping[str, Any]:
        return (self.project.rest.get("networks") or {}).get(key) or {}

    def _network_id(self, key: str) -> Json:
        """Somebody else's network is known by its name."""
        return self._network_name(key) if self._network(key).get("external") else ref(self._urn(NETWORK, key), "id")

    def _linked(self, service: Service) -> list[str]:
        """Names by which others link to it."""
        pairs = [each.partition(":") for other in self.project.services.values() for each in other.rest.get("links") or ()]
        return sorted({alias for name, _, alias in pairs if name == service.name and alias})

    def _network_name(self, key: str) -> str:
        said = self._network(key)
        name: str = said.get("name") or f"{self.project.name}_{key}"
        usual = f"{self.project.name}_{key}"
        return f"{self.prefix}_{key}" if name == usual and not said.get("external") else name

    def _store_volume(self, service: Service) -> str:
        return f"{self.prefix}_{service.name}-data"

    def _with_digests(self, inputs: dict[str, Json], source: ImageSource | None = None) -> dict[str, Json]:
        """With a keyed digest of each configuration value that is used, by the image too, so that another value is a change."""
        arguments = [as_json(text) for text in source.args.values()] if source else []
        used = sorted(set(config_keys([inputs, arguments])))
        return {**inputs, "config_digests": {key: self.digests.get(key, "") for key in used}}

    def _resource(
        self, type_: str, name: str, inputs: Mapping[str, Json], *, title: str = "", service: str = "", protect: bool = False
    ) -> Resource:
        return Resource(
            urn=self._urn(type_, name),
            type=type_,
            inputs=dict(inputs),
            options=Options(protect=protect),
            service=service,
            title=title or name,
        )

    def _urn(self, type_: str, name: str) -> str:
        return urn(self.project.name, type_, name)


def _pulled_key(name: str, platform: str) -> str:
    return f"{name} for {platform}" if platform else name


def _by_priority(service: Service) -> list[str]:
    """The networks of a service, the one that is its default route first."""
    said = service.rest.get("networks") or {}
    return sorted(service.networks, key=lambda key: -int((said.get(key) or {}).get("priority") or 0))


def _wanted(port: Port) -> Json:
    """`exact`: the published port is the address that people know it by."""
    return {"target": port.target, "published": port.published, "exact": port.published is not None, "host": port.host_ip}


def _direct(port: Port) -> Json:
    return {"target": port.target, "protocol": port.protocol, "published": port.published or 0, "host": port.host_ip}


def _endpoint(port: Port) -> Json:
    public = port.mode is PortMode.INGRESS and port.http
    return {"target": port.target, "scheme": "http" if port.http else "tcp", "public": public}


def _need(dependency: Service, condition: Condition) -> Need:
    """As without containers: a store, or a one-off, is always waited for until it is usable."""
    if condition is Condition.STARTED and stores.kind(dependency) is None and not dependency.one_off:
        return Need.CREATED
    return Need.READY

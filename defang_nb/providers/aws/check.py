"""What of a project AWS can't honour, found before anything starts, with its place and what to use instead."""

from __future__ import annotations

import re
from collections.abc import Iterator

from defang_nb.build.site import folder_of
from defang_nb.model.project import Managed, ManagedKind, Mount, Port, PortMode, Project, Service, StaticFiles
from defang_nb.model.source import Diagnostic
from defang_nb.providers.aws.compile import documents, front, models, sizes, stores
from defang_nb.providers.aws.compile.tasks import STOP_SECONDS
from defang_nb.providers.support import Support, support

_PLATFORMS = ("", "linux/amd64", "linux/x86_64", "amd64", "linux/arm64", "linux/arm64/v8", "arm64", "aarch64", "linux/aarch64")
_CAPABILITIES = ("SYS_PTRACE", "CAP_SYS_PTRACE")

_REDIRECT = re.compile(r"/\*=/[^=]*|/[^=*]*=(?:/|https?://).*")
"""From a path to a path or an address; or what is served in place of all that is not there."""
_SIZES = ("deploy.resources.reservations", "deploy.resources.limits", "mem_reservation", "mem_limit", "cpus")
"""Where a size may be said."""


def check(project: Project) -> list[Diagnostic]:
    """Findings of all services, in their order. Changes nothing.

    What is ignored or refused as a whole is the table's (`providers/support/aws.toml`); which of its cases there are is seen
    here.
    """
    return _Check(project).findings()


class _Check:
    def __init__(self, project: Project) -> None:
        self.project = project
        self.table: Support = support("aws")
        self.named = {route.service: route.port.target for route in front.routes(project) if route.host}
        """Service → its port that is found by HTTPS, at its domain."""

    def findings(self) -> list[Diagnostic]:
        cases = [each for service in self.project.services.values() for each in self._cases(service)]
        return [*self.table.findings(self.project), *cases]

    def _cases(self, service: Service) -> Iterator[Diagnostic]:
        if service.static_files is not None:
            yield from self._site(service, service.static_files)
        elif service.managed is None or service.managed.kind is ManagedKind.LLM:
            yield from self._of(service)
            if service.managed is not None:
                yield self._told("models-of-bedrock", service, "x-defang-llm")
        elif stores.is_store(service):
            yield from self._store(service, service.managed)

    def _site(self, service: Service, files: StaticFiles) -> Iterator[Diagnostic]:
        for key in ("image", "command", "entrypoint", "environment", "volumes"):
            if getattr(service, key):
                yield self._told("site-ignores", service, key, what=key)
        if service.build and ((folder := folder_of(self.project, service)) is not None and folder.is_dir()):
            yield self._told("site-of-context", service, "x-defang-static-files", folder=files.folder)
        for index, redirect in enumerate(files.redirects):
            if not _REDIRECT.fullmatch(redirect):
                place = f"x-defang-static-files.redirects[{index}]"
                yield self._told("site-redirect", service, place, "x-defang-static-files", redirect=redirect)

    def _store(self, service: Service, managed: Managed) -> Iterator[Diagnostic]:
        if stores.rung(service) is None:
            largest = stores.LADDERS[managed.kind][-1]
            words = {"asked": sizes.wanted(service.resources), "cpus": largest.cpus, "memory": largest.memory // 1024}
            yield self._told("no-such-store", service, *_SIZES, **words)
        for key in ("command", "entrypoint", "build"):
            if getattr(service, key):
                yield self._told("store-ignores", service, key, what=key)
        for index, mount in enumerate(service.volumes):
            if mount.kind == "bind":
                yield self._told("store-ignores", service, f"volumes[{index}]", "volumes", what=mount.target)
        if managed.kind is ManagedKind.REDIS:
            yield self._told("store-tls", service, "x-defang-redis")
        if managed.kind is ManagedKind.POSTGRES:
            yield from self._postgres(service)
        if managed.kind is ManagedKind.MONGODB:
            yield self._told("store-documents", service, "x-defang-mongodb", version=documents.version(service))
            yield from self._values(service, documents.PASSWORD, documents.USER)

    def _postgres(self, service: Service) -> Iterator[Diagnostic]:
        if not service.environment.get(stores.PASSWORD):
            yield self._told("store-password-made", service, "x-defang-postgres")
        yield from self._values(service, stores.PASSWORD, stores.USER, stores.NAME)

    def _values(self, service: Service, *keys: str) -> Iterator[Diagnostic]:
        for key in keys:
            if (why := stores.refused(service, key)) is not None:
                yield self._told("store-value", service, f"environment.{key}", "environment", key=key, why=why)

    def _of(self, service: Service) -> Iterator[Diagnostic]:
        yield from self._container(service)
        yield from self._size(service)
        yield from self._models(service)
        for index, mount in enumerate(service.volumes):
            yield from self._mount(service, f"volumes[{index}]", mount)
        for index, port in enumerate(service.ports):
            yield from self._port(service, f"ports[{index}]", port)
        if service.name not in self.named and front.published(service):
            yield self._told("plain-http", service, "ports")

    def _models(self, service: Service) -> Iterator[Diagnostic]:
        for name in service.models:
            places, model = (f"models.{name}", "models"), models.named(self.project, name)
            found = models.on_bedrock(model, "")
            if name in self.project.services:
                yield self._told("model-name-taken", service, *places, name=name)
            elif found is None:
                yield self._told("model-unknown", service, *places, name=name, model=model)
            else:
                yield self._told("model-gateway", service, *places, name=name, id=found, url=models.url(name))

    def _container(self, service: Service) -> Iterator[Diagnostic]:
        if not (service.image or service.build or service.static_files) and "provider" not in service.rest:
            yield self._told("nothing-to-run", service, "")
        if service.platform not in _PLATFORMS:
            yield self._told("platform", service, "platform", platform=service.platform)
        others = [name for name in service.rest.get("ulimits") or {} if name != "nofile"]
        if others:
            yield self._told("ulimits", service, "ulimits", names=", ".join(others))
        others = [name for name in service.rest.get("cap_add") or () if str(name).upper() not in _CAPABILITIES]
        if others:
            yield self._told("capabilities", service, "cap_add", names=", ".join(others))
        if service.stop_grace_period > STOP_SECONDS:
            yield self._told("stop-grace-period", service, "stop_grace_period", seconds=f"{service.stop_grace_period:g}")
        for index, link in enumerate(service.rest.get("links") or ()):
            name, _, alias = str(link).partition(":")
            if alias and alias != name:
                yield self._told("link-alias", service, f"links[{index}]", "links", name=name, alias=alias)

    def _size(self, service: Service) -> Iterator[Diagnostic]:
        asked = sizes.wanted(service.resources)
        if found := sizes.impossible(asked):
            nearest = " or ".join(str(each) for each in found)
            yield self._told("no-such-size", service, *_SIZES, asked=asked, nearest=nearest)
        if service.resources.gpus:
            yield self._told("no-gpus", service, "deploy.resources.reservations.devices", "deploy.resources")

    def _mount(self, service: Service, place: str, mount: Mount) -> Iterator[Diagnostic]:
        match mount.kind:
            case "bind":
                yield self._told("volume-of-this-machine", service, place, source=mount.source)
            case "volume":
                volume = self.project.volumes.get(mount.source)
                if volume is not None and volume.external:
                    yield self._told("external-volume", service, place, source=mount.source)
                if mount.options.get("subpath"):
                    yield self._told("volume-subpath", service, place, path=mount.options["subpath"])
            case "tmpfs":
                pass
            case _:
                yield self._told("mount-kind", service, place, kind=mount.kind)

    def _port(self, service: Service, place: str, port: Port) -> Iterator[Diagnostic]:
        if port.mode is PortMode.HOST:
            return
        if port.protocol != "tcp" or (port.app_protocol and not front.is_http(port)):
            protocol = port.protocol if port.protocol != "tcp" else port.app_protocol
            yield self._told("port-protocol", service, place, target=port.target, protocol=protocol)
        elif not front.is_http(port):
            yield self._told("port-not-published", service, place, target=port.target)
        elif port.app_protocol in ("http2", "grpc") and self.named.get(service.name) != port.target:
            words = {"target": port.target, "protocol": port.app_protocol}
            yield self._told("needs-tls", service, f"{place}.app_protocol", place, **words)

    def _told(self, code: str, service: Service, *places: str, **words: object) -> Diagnostic:
        return self.table.told(self.project, code, service.name, *places, **words)

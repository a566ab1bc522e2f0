"""What of a project a container engine can't honour, found before anything starts, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from defang_nb.errors import UsageError
from defang_nb.model.project import ManagedKind, Project, Service
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.providers.local.docker import stores
from defang_nb.providers.local.docker.builders import setting
from defang_nb.providers.support import Support, support


def check(project: Project) -> list[Diagnostic]:
    """Findings of all services, in their order. Changes nothing.

    What is ignored or refused as a whole is the table's (`providers/support/docker.toml`); which of its cases there are is
    seen here.
    """
    table = support("docker")
    cases = [finding for service in project.services.values() for finding in _findings(project, service, table)]
    return [*table.findings(project), *cases]


def builder(project: Project, settings: Mapping[str, str]) -> Iterator[Diagnostic]:
    """What is wrong with the builder that is asked for, where something has to be built."""
    if any(service.build for service in project.services.values()):
        try:
            setting.check(settings)
        except UsageError as error:
            yield Diagnostic(severity=Severity.ERROR, code="builder", message=error.message, hint=error.hint)


def _findings(project: Project, service: Service, table: Support) -> Iterator[Diagnostic]:
    def told(code: str, *places: str, **words: object) -> Diagnostic:
        return table.told(project, code, service.name, *places, **words)

    if service.managed and service.managed.kind is ManagedKind.LLM:
        return
    if not (service.image or service.build or service.static_files or stores.image(service)) and "provider" not in service.rest:
        yield told("nothing-to-run", "")
    if service.replicas > 1 and any(port.published for port in service.ports if port.protocol != "tcp" or port.mode == "host"):
        yield told("replicas-fixed-port", "deploy.replicas", "scale", replicas=service.replicas)
    for index, each in enumerate(service.volumes):
        if each.kind not in ("volume", "bind", "tmpfs"):
            yield told("mount-kind", f"volumes[{index}]", kind=each.kind)

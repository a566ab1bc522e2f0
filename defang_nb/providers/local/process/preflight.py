"""What keeps a project from starting though there is nothing wrong with it: a published port that somebody else holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from defang_nb.model.excerpt import excerpt
from defang_nb.model.project import Project
from defang_nb.model.resource import Resource
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.providers.local.process import ports
from defang_nb.providers.local.process.compile import ADDRESS
from defang_nb.providers.local.process.engine import Engine, parse_urn


def taken_ports(engine: Engine, project: Project, desired: Sequence[Resource]) -> list[Diagnostic]:
    """An error for each port that was asked for by number and is held by another service, or by a stranger."""
    addresses = [resource for resource in desired if resource.type == ADDRESS]
    stay = {address.urn: {each["published"] for each in address.inputs["ports"] if each["exact"]} for address in addresses}
    return [each for address in addresses for each in _taken(engine, project, address, stay)]


def _taken(engine: Engine, project: Project, address: Resource, stay: Mapping[str, Collection[int]]) -> Iterator[Diagnostic]:
    _, service = parse_urn(address.urn)
    ours = engine.book.read().get(address.urn, {}).values()
    for port in address.inputs["ports"]:
        published = port["published"]
        if not port["exact"] or published in ours:
            continue
        holding = engine.book.owner(published)
        owner = parse_urn(holding)
        if owner[0] == project.name and published not in stay.get(holding, ()):
            continue  # this deployment takes it from there, and the new address waits for that
        if not owner[0] and ports.problem(published) != "taken":
            continue
        holder = f"service {owner[1]} of project {owner[0]}" if owner[0] else ports.holder(published)
        yield _problem(project, service, port["target"], published, holder)


def _problem(project: Project, service: str, target: int, published: int, holder: str) -> Diagnostic:
    written = project.services[service].ports
    index = next((number for number, each in enumerate(written) if each.target == target), 0)
    path = f"services.{service}.ports[{index}]"
    return Diagnostic(
        severity=Severity.ERROR,
        code="port-in-use",
        message=f"service {service}: port {published} is in use by {holder}",
        hint=f"stop it, or publish another port: `{ports.free(())}:{target}`",
        position=project.position(path),
        path=path,
        service=service,
        excerpt=_line(project, project.position(path)),
    )


def _line(project: Project, position: Position | None) -> str:
    """The source line at `position`; "" where it can't be read (text that came from a notebook cell)."""
    if position is None:
        return ""
    try:
        lines = Path(project.working_dir, position.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return excerpt(lines[position.line - 1], position.column) if position.line <= len(lines) else ""

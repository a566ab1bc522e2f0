"""Other numbers of replicas for what is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from defang_nb.client import loop
from defang_nb.client.checked import examine, refuse
from defang_nb.client.deployment import Deployment
from defang_nb.client.place import project_of, workspace_of
from defang_nb.client.workspace import Workspace
from defang_nb.errors import NotFoundError, UsageError
from defang_nb.model.events import Kind, Outcome
from defang_nb.model.project import Project
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.provision.owner import this_person


def start_scale(
    replicas: Mapping[str, int], *, project: str | None = None, stack: str | None = None, working_dir: str | Path | None = None
) -> Deployment:
    """Start deploying what is deployed again with other numbers of replicas (service → number). The next `up` decides anew.

    Raises `NotFoundError`, `UsageError`, and what `start_up` raises of a project.
    """
    workspace = workspace_of(stack, working_dir)
    name = project_of(workspace, project, working_dir)
    if (request := loop.run(_latest(workspace, name))) is None:
        raise NotFoundError(f"no deployment of {name!r} that went well is kept", hint="run `up` first")
    scaled = _scaled(request.project, replicas)
    checked = examine(workspace, scaled, {})
    refuse(checked)
    said = ", ".join(f"{name} to {count}" for name, count in replicas.items())
    note = Diagnostic(severity=Severity.INFO, code="scale", message=f"scales {said}, until the next `up`")
    again = DeployRequest(
        deployment=new_id(),
        kind=Kind.UP,
        stack=workspace.stack,
        project=scaled,
        images=request.images,
        diagnostics=(note, *checked.diagnostics),
        by=this_person(),
    )
    return Deployment.begin(workspace, again)


async def _latest(workspace: Workspace, project: str) -> DeployRequest | None:
    """What was deployed last, and went well."""
    history = await workspace.history()
    ended = await history.latest(project, 1, kind=Kind.UP, outcome=Outcome.SUCCEEDED)
    return await history.request(project, ended[0].id) if ended else None


def _scaled(project: Project, replicas: Mapping[str, int]) -> Project:
    services = dict(project.services)
    for name, count in replicas.items():
        if name not in services:
            raise NotFoundError(f"{project.name} has no service {name!r}", hint=f"services: {', '.join(services)}")
        if count < 0:
            raise UsageError(f"{name}={count}: there can't be fewer replicas than none")
        services[name] = msgspec.structs.replace(services[name], replicas=count)
    return msgspec.structs.replace(project, services=services)

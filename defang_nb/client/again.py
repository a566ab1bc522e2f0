"""Deploying again what was deployed before: that one, or the latest that was another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from defang_nb.client import loop
from defang_nb.client.checked import examine, refuse
from defang_nb.client.workspace import Workspace
from defang_nb.errors import NotFoundError, UsageError
from defang_nb.model.events import DeploymentSummary, Kind, Outcome
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.provision.owner import this_person

if TYPE_CHECKING:
    from defang_nb.providers.history import History

LISTED = "`deployments` lists them"
_LOOKED_AT = 50
"""So many earlier deployments are looked through for one to go back to."""


def asked(
    workspace: Workspace, deployment: str | None, project: str | None, *, dry_run: bool = False, yes: bool = False,
    wait_timeout: float | None = None, lease_wait: float = 0.0,
) -> DeployRequest:  # fmt: skip
    """What `api.start_rollback` asks of cd, and raises."""

    async def chosen() -> tuple[DeploymentSummary, DeployRequest]:
        history = await workspace.history()
        return await (_named(history, deployment, project) if deployment else _before(history, project or ""))

    summary, request = loop.run(chosen())
    checked = examine(workspace, request.project, {})
    refuse(checked)
    return DeployRequest(
        deployment=new_id(),
        kind=Kind.PREVIEW if dry_run else Kind.UP,
        stack=workspace.stack,
        project=request.project,
        images=request.images,
        diagnostics=(_said(summary), *checked.diagnostics),
        dry_run=dry_run,
        yes=yes,
        wait_timeout=wait_timeout,
        lease_wait=lease_wait,
        by=this_person(),
        rollback_of=summary.id,
    )


async def _named(history: History, deployment: str, project: str | None) -> tuple[DeploymentSummary, DeployRequest]:
    summary = await history.find(deployment, project)
    if summary.kind is not Kind.UP:
        what = {Kind.DOWN: "took the project down", Kind.PREVIEW: "was a preview, and uploaded nothing"}
        message = f"deployment {summary.id} {what.get(summary.kind, 'deployed nothing')}: it can't be deployed again"
        raise UsageError(message, hint="`deployments --kind up` lists those that can")
    request = await history.request(summary.project, summary.id)
    if request is None:
        raise NotFoundError(f"what deployment {summary.id} deployed is no longer kept", hint=LISTED)
    return summary, request


async def _before(history: History, project: str) -> tuple[DeploymentSummary, DeployRequest]:
    """The latest that went well and deployed something else than the latest `up` (which may have failed) did."""
    ups = await history.latest(project, _LOOKED_AT, kind=Kind.UP)
    now = await history.request(project, ups[0].id) if ups else None
    for summary in ups[1:]:
        if summary.outcome is Outcome.SUCCEEDED:
            request = await history.request(project, summary.id)
            if request is not None and (now is None or _deploys(request) != _deploys(now)):
                return summary, request
    raise NotFoundError(f"there is no earlier deployment of {project!r} that went well and was another", hint=LISTED)


def _deploys(request: DeployRequest) -> object:
    """What tells two deployments apart: not where their Compose text stood."""
    project = request.project
    return project.services, project.volumes, project.configs, project.secrets, request.images


def _said(summary: DeploymentSummary) -> Diagnostic:
    when = f"{datetime.fromtimestamp(summary.started, UTC):%Y-%m-%d %H:%M} UTC"
    by = f" by {summary.by}" if summary.by else ""
    message = f"deploys what {summary.id} of {when}{by} deployed"
    if summary.outcome is not Outcome.SUCCEEDED:
        ended = summary.outcome.value if summary.outcome else "did not end"
        return Diagnostic(severity=Severity.WARNING, code="rollback", message=f"{message}; note that it {_ended(ended)}")
    return Diagnostic(severity=Severity.INFO, code="rollback", message=message)


def _ended(word: str) -> str:
    return "was cancelled" if word == Outcome.CANCELLED.value else word

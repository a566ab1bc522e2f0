"""The history of a stack, for people: what was deployed, all about one deployment, and deploying it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from defang_nb.client import begin, loop
from defang_nb.client.deployment import Deployment
from defang_nb.client.workspace import Workspace
from defang_nb.errors import NotFoundError, UsageError
from defang_nb.model.events import DeploymentSummary, Kind, Outcome
from defang_nb.model.project import Project
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.view import replay

if TYPE_CHECKING:
    from defang_nb.model.past import PastDeployment
    from defang_nb.providers.history import History

RUNNING = "running"
LISTED = "`deployments` lists them"
_LOOKED_AT = 50
"""So many earlier deployments are looked through for one to go back to."""


def deployments(
    workspace: Workspace, project: str | None, limit: int, kind: str | None, outcome: str | None
) -> list[DeploymentSummary]:
    """See `api.deployments`."""
    kinds, outcomes = [each.value for each in Kind], [*(each.value for each in Outcome), RUNNING]
    if kind is not None and kind not in kinds:
        raise UsageError(f"there is no kind of deployment {kind!r}", hint=f"kinds: {', '.join(kinds)}")
    if outcome is not None and outcome not in outcomes:
        raise UsageError(f"there is no outcome {outcome!r}", hint=f"outcomes: {', '.join(outcomes)}")

    async def listed() -> list[DeploymentSummary]:
        history = await workspace.history()
        wanted = Kind(kind) if kind else None
        if outcome != RUNNING:
            return await history.latest(project, limit, kind=wanted, outcome=Outcome(outcome) if outcome else None)
        found = [each for each in await history.unfinished() if project in (None, each.project)]
        return sorted((each for each in found if wanted in (None, each.kind)), key=lambda each: each.id, reverse=True)[:limit]

    return loop.run(listed())


def read(workspace: Workspace, deployment: str, project: str | None) -> PastDeployment:
    """See `api.deployment`."""
    from defang_nb.model.past import asked_of, past

    async def reading() -> PastDeployment:
        history = await workspace.history()
        summary = await history.find(deployment, project)
        events = await history.events(summary.project, summary.id)
        request = await history.request(summary.project, summary.id)
        kept = frozenset(await (await workspace.provider.store()).list("contexts/"))
        view = replay(summary.id, events)
        return past(view, asked_of(request, kept) if request else None)

    return loop.run(reading())


def start_rollback(
    workspace: Workspace, deployment: str | None, project: str | None, *, dry_run: bool, yes: bool,
    wait_timeout: float | None, lease_wait: float,
) -> Deployment:  # fmt: skip
    """See `api.start_rollback`."""

    async def chosen() -> tuple[DeploymentSummary, DeployRequest]:
        history = await workspace.history()
        return await (_named(history, deployment, project) if deployment else _before(history, project or ""))

    summary, request = loop.run(chosen())
    checked = begin.examine(workspace, request.project, {})
    begin.refuse(checked)
    again = DeployRequest(
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
        by=begin.person(),
        rollback_of=summary.id,
    )
    return begin.start(workspace, again, ())


def start_scale(workspace: Workspace, project: str, replicas: Mapping[str, int]) -> Deployment:
    """See `api.start_scale`."""

    async def latest() -> DeployRequest | None:
        history = await workspace.history()
        ended = await history.latest(project, 1, kind=Kind.UP, outcome=Outcome.SUCCEEDED)
        return await history.request(project, ended[0].id) if ended else None

    request = loop.run(latest())
    if request is None:
        raise NotFoundError(f"no deployment of {project!r} that went well is kept", hint="run `up` first")
    services = dict(request.project.services)
    for name, count in replicas.items():
        if name not in services:
            raise NotFoundError(f"{project} has no service {name!r}", hint=f"services: {', '.join(services)}")
        if count < 0:
            raise UsageError(f"{name}={count}: there can't be fewer replicas than none")
        services[name] = msgspec.structs.replace(services[name], replicas=count)
    scaled = msgspec.structs.replace(request.project, services=services)
    checked = begin.examine(workspace, scaled, {})
    begin.refuse(checked)
    said = ", ".join(f"{name} to {count}" for name, count in replicas.items())
    note = Diagnostic(severity=Severity.INFO, code="scale", message=f"scales {said}, until the next `up`")
    again = DeployRequest(
        deployment=new_id(),
        kind=Kind.UP,
        stack=workspace.stack,
        project=scaled,
        images=request.images,
        diagnostics=(note, *checked.diagnostics),
        by=begin.person(),
    )
    return begin.start(workspace, again, ())


def start_refresh(workspace: Workspace, project: str, *, accept: bool = False, repair: bool = False) -> Deployment:
    """See `api.start_refresh` and `api.start_repair`."""
    request = DeployRequest(
        deployment=new_id(),
        kind=Kind.REFRESH,
        stack=workspace.stack,
        project=Project(name=project, services={}),
        accept=accept,
        repair=repair,
        by=begin.person(),
    )
    return begin.start(workspace, request, ())


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

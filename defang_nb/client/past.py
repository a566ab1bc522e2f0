"""The history of a stack, for people: what was deployed, and all about one deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from defang_nb.client import loop
from defang_nb.client.workspace import Workspace
from defang_nb.errors import UsageError
from defang_nb.model.events import DeploymentSummary, Kind, Outcome
from defang_nb.model.view import replay

if TYPE_CHECKING:
    from defang_nb.model.past import PastDeployment

RUNNING = "running"


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

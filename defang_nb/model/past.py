"""A deployment as its history tells it: who asked for what, what was planned, what happened, how it ended."""

from __future__ import annotations

import msgspec

from defang_nb.model.events import Kind, Outcome, ServiceInfo
from defang_nb.model.plan import Plan
from defang_nb.model.request import DeployRequest, introduce
from defang_nb.model.source import Diagnostic
from defang_nb.model.view import DeploymentView, ServiceView, StepView


class PastImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was deployed. `context_kept`: whether it can be built again from the context that was uploaded for it."""

    reference: str
    digest: str
    services: tuple[str, ...]
    context_kept: bool


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the request said. `config` are names of configuration values; neither they nor environments are shown."""

    files: tuple[str, ...] = ()
    services: tuple[ServiceInfo, ...] = ()
    images: tuple[PastImage, ...] = ()
    config: tuple[str, ...] = ()
    build: bool = False
    dry_run: bool = False
    yes: bool = False
    wait_timeout: float | None = None
    lease_wait: float = 0.0
    rollback_of: str = ""


class PastDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """`duration` is in seconds, None while it goes on. `asked` is None once the request is no longer kept.

    `services`, `steps` and `plan` are as `DeploymentView` has them; `problems` are its diagnostics; `events` is their number.
    """

    id: str
    kind: Kind
    project: str
    stack: str
    by: str
    started: float
    finished: float | None
    duration: float | None
    outcome: Outcome | None
    message: str
    hint: str
    asked: Asked | None
    services: tuple[ServiceView, ...]
    steps: tuple[StepView, ...]
    plan: Plan | None
    problems: tuple[Diagnostic, ...]
    events: int


def asked_of(request: DeployRequest, kept: frozenset[str]) -> Asked:
    """`kept` are the keys of the build contexts that the store still has."""
    images = tuple(
        PastImage(reference=it.reference, digest=it.digest, services=it.services, context_kept=it.context_key in kept)
        for it in request.images
    )
    return Asked(
        files=request.project.files,
        services=introduce(request.project),
        images=images,
        config=tuple(request.project.config_keys()),
        build=request.build,
        dry_run=request.dry_run,
        yes=request.yes,
        wait_timeout=request.wait_timeout,
        lease_wait=request.lease_wait,
        rollback_of=request.rollback_of,
    )


def past(view: DeploymentView, asked: Asked | None) -> PastDeployment:
    """From the view after all events."""
    return PastDeployment(
        id=view.id,
        kind=view.kind,
        project=view.project,
        stack=view.stack,
        by=view.by,
        started=view.started,
        finished=view.finished,
        duration=None if view.finished is None else round(view.finished - view.started, 3),
        outcome=view.outcome,
        message=view.message,
        hint=view.hint,
        asked=asked,
        services=tuple(view.services.values()),
        steps=tuple(view.steps.values()),
        plan=view.plan,
        problems=view.diagnostics,
        events=view.sequence,
    )

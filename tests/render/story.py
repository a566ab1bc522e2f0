"""A made-up deployment of a shop, told as events; the tests (and whoever wants to see it) stop it where they like."""

from __future__ import annotations

from collections.abc import Sequence

from defang_nb.model.events import (
    BuildLine,
    Diagnosed,
    EndpointFound,
    Event,
    Finished,
    Kind,
    LogLine,
    Outcome,
    Payload,
    Planned,
    Requested,
    ServiceChanged,
    ServiceInfo,
    ServiceState,
    Stage,
    StageChanged,
    StepFinished,
    StepMade,
    StepStarted,
    StepStatus,
)
from defang_nb.model.plan import Action, Change, Plan, Step
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.model.view import DeploymentView, replay

START = 1_767_225_600.0
ID = "7f3k2"

SERVICES = (
    ServiceInfo(name="web", what="build ./web", replicas=2, depends_on=("api",)),
    ServiceInfo(name="api", what="build ./api", depends_on=("db", "cache", "migrate")),
    ServiceInfo(name="worker", what="build ./worker", replicas=3, depends_on=("db", "cache")),
    ServiceInfo(name="migrate", what="build ./api", depends_on=("db",)),
    ServiceInfo(name="db", what="postgres:16", managed="postgres"),
    ServiceInfo(name="cache", what="valkey/valkey:8", managed="redis"),
)

PLAN = Plan(
    steps=(
        Step(urn="shop/postgres/db", type="postgres", action=Action.KEEP, service="db", title="db"),
        Step(urn="shop/image/api", type="image", action=Action.CREATE, cause="source changed", title="image api"),
        Step(urn="shop/image/worker", type="image", action=Action.CREATE, cause="source changed", title="image worker"),
        Step(
            urn="shop/redis/cache",
            type="redis",
            action=Action.CREATE,
            cause="new in the project",
            service="cache",
            title="cache",
        ),
        Step(
            urn="shop/run/migrate",
            type="run",
            action=Action.REPLACE,
            cause="image changed",
            service="migrate",
            title="migrate",
            changes=(Change(path="image", before="sha256:9c1e08ab", after="sha256:41b7f00d", replaces=True),),
            after=("shop/image/api", "shop/postgres/db"),
        ),
        Step(
            urn="shop/service/api",
            type="service",
            action=Action.UPDATE,
            cause="image, environment.CACHE_URL changed",
            service="api",
            title="api",
            changes=(
                Change(path="image", before="sha256:9c1e08ab", after="sha256:41b7f00d"),
                Change(path="environment.CACHE_URL", after="redis://cache:6379"),
                Change(path="environment.SECRET_KEY", before="config(OLD_KEY)", after="config(SECRET_KEY)"),
            ),
            after=("shop/image/api", "shop/run/migrate", "shop/redis/cache"),
        ),
        Step(
            urn="shop/service/worker",
            type="service",
            action=Action.UPDATE,
            cause="image changed",
            service="worker",
            title="worker",
            changes=(Change(path="image", before="sha256:00aa", after="sha256:00bb"),),
            after=("shop/image/worker", "shop/redis/cache"),
        ),
        Step(
            urn="shop/service/web",
            type="service",
            action=Action.UPDATE,
            cause="deploy.replicas changed",
            service="web",
            title="web",
            changes=(Change(path="replicas", before="1", after="2"),),
            after=("shop/service/api",),
        ),
        Step(urn="shop/service/old", type="service", action=Action.DELETE, cause="no longer in the project", title="old-admin"),
    )
)

WARNING = Diagnostic(
    severity=Severity.WARNING,
    code="no-memory-reservation",
    message="db has no memory reservation",
    hint="512 MiB is assumed. Add deploy.resources.reservations.memory.",
    position=Position("compose.yaml", 24, 3),
    excerpt="  db:",
    service="db",
)


def state(service: str, to: ServiceState, detail: str = "") -> ServiceChanged:
    return ServiceChanged(service=service, state=to, detail=detail)


def begun(urn: str) -> StepStarted:
    step = next(each for each in PLAN.steps if each.urn == urn)
    return StepStarted(urn=urn, action=step.action, service=step.service, title=step.title)


def ended(urn: str, status: StepStatus = StepStatus.DONE, message: str = "") -> StepFinished:
    step = next(each for each in PLAN.steps if each.urn == urn)
    return StepFinished(urn=urn, action=step.action, status=status, message=message)


def pip(number: int) -> BuildLine:
    return BuildLine(
        urn="shop/image/worker", line=f"  Downloading package_{number}-1.0-py3-none-any.whl (12.4 MB)", services=("worker",)
    )


Told = Sequence[tuple[float, Payload]]

OPENING: Told = (
    (0, Requested(kind=Kind.UP, project="shop", stack="local", provider="local", by="ada", services=SERVICES)),
    (0.1, StageChanged(stage=Stage.PLANNING)),
    (0.4, Planned(plan=PLAN)),
    (0.4, Diagnosed(diagnostic=WARNING)),
    (0.5, StageChanged(stage=Stage.PROVISIONING)),
    (0.5, state("db", ServiceState.DEPLOYMENT_COMPLETED, "unchanged")),
    (0.6, begun("shop/image/api")),
    (0.6, begun("shop/image/worker")),
    (0.7, begun("shop/redis/cache")),
    (0.8, state("api", ServiceState.BUILD_RUNNING, "step 1/4")),
    (0.8, state("worker", ServiceState.BUILD_RUNNING, "step 1/9")),
    (
        1.0,
        BuildLine(
            urn="shop/image/api", line="[1/4] FROM python:3.12-slim", services=("api", "migrate"), step=1, steps=4, cached=True
        ),
    ),
    (
        2.0,
        BuildLine(
            urn="shop/image/worker", line="[6/9] RUN pip install -r requirements.txt", services=("worker",), step=6, steps=9
        ),
    ),
    (2.1, state("worker", ServiceState.BUILD_RUNNING, "step 6/9")),
    *((2.2 + number / 100, pip(number)) for number in range(230)),
    (9.0, ended("shop/redis/cache")),
    (9.0, state("cache", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (12.0, ended("shop/image/api")),
    (12.0, begun("shop/run/migrate")),
    (16.0, ended("shop/run/migrate")),
    (16.0, state("migrate", ServiceState.DEPLOYMENT_COMPLETED, "exited 0 in 4 s")),
    (16.1, begun("shop/service/api")),
    (16.2, state("api", ServiceState.DEPLOYMENT_PENDING, "health 1/2")),
    (16.2, StepMade(urn="shop/service/api")),
    (16.2, state("web", ServiceState.NOT_SPECIFIED, "waiting for api")),
)

GOOD_END: Told = (
    (41.0, ended("shop/image/worker")),
    (41.0, begun("shop/service/worker")),
    (44.0, ended("shop/service/worker")),
    (44.0, state("worker", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (19.0 + 30, ended("shop/service/api")),
    (49.0, state("api", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (49.1, begun("shop/service/web")),
    (49.2, EndpointFound(service="api", url="http://localhost:18000", port=8000, public=False)),
    (55.0, ended("shop/service/web")),
    (55.0, EndpointFound(service="web", url="http://localhost:18080", port=8080)),
    (55.0, state("web", ServiceState.DEPLOYMENT_COMPLETED)),
    (55.1, begun("shop/service/old")),
    (55.6, ended("shop/service/old")),
    (56.0, Finished(outcome=Outcome.SUCCEEDED)),
)

CRASH = (
    "Traceback (most recent call last):",
    '  File "/app/main.py", line 3, in <module>',
    "    import fastapi",
    "ModuleNotFoundError",
)

BAD_END: Told = (
    *((20.0, LogLine(service="api", line=line)) for line in CRASH),
    (21.0, ended("shop/service/api", StepStatus.FAILED, "api ended with exit code 1, 5 times in 4 s")),
    (21.0, state("api", ServiceState.DEPLOYMENT_FAILED, "exit code 1")),
    (
        21.1,
        Diagnosed(
            diagnostic=Diagnostic(
                severity=Severity.ERROR,
                code="service-crashed",
                message="api ended with exit code 1, 5 times in 4 s",
                hint="Add fastapi to api/requirements.txt; its last lines are below.",
                position=Position("compose.yaml", 9, 5),
                excerpt="    command: uvicorn main:app --host 0.0.0.0",
                service="api",
            )
        ),
    ),
    (
        22.0,
        Finished(
            outcome=Outcome.FAILED,
            message="api never became healthy",
            hint="Mend it and run up again: what is done stays done.",
        ),
    ),
)


def told(*parts: Told, until: float = float("inf")) -> list[Event]:
    flat = [(time, payload) for part in parts for time, payload in part if time <= until]
    return [
        Event(deployment=ID, sequence=number, time=START + time, payload=payload)
        for number, (time, payload) in enumerate(flat, 1)
    ]


def view(*parts: Told, until: float = float("inf")) -> DeploymentView:
    return replay(ID, told(*parts, until=until))


def running() -> DeploymentView:
    return view(OPENING)


def finished() -> DeploymentView:
    return view(OPENING, GOOD_END)


def failed() -> DeploymentView:
    return view(OPENING, BAD_END)


def preview() -> DeploymentView:
    return replay(ID, preview_told())


def preview_told() -> list[Event]:
    return told(
        (
            (0, Requested(kind=Kind.PREVIEW, project="shop", stack="local", provider="local", services=SERVICES)),
            (0.1, StageChanged(stage=Stage.PLANNING)),
            (0.4, Planned(plan=PLAN)),
            (0.5, Finished(outcome=Outcome.SUCCEEDED)),
        )
    )


def down() -> DeploymentView:
    return replay(ID, down_told())


def down_told() -> list[Event]:
    deleting = Plan(
        steps=tuple(
            Step(
                urn=f"shop/service/{info.name}",
                type="service",
                action=Action.DELETE,
                cause="no longer in the project",
                service=info.name,
                title=info.name,
            )
            for info in SERVICES
        )
    )
    steps: list[tuple[float, Payload]] = []
    for number, step in enumerate(deleting.steps, 1):
        steps += [
            (number, StepStarted(urn=step.urn, action=Action.DELETE, service=step.service, title=step.title)),
            (number + 0.2, state(step.service, ServiceState.DEPLOYMENT_PENDING)),
            (number + 0.7, StepFinished(urn=step.urn, action=Action.DELETE, status=StepStatus.DONE)),
            (number + 0.8, state(step.service, ServiceState.DEPLOYMENT_SCALED_IN)),
        ]
    return told(
        (
            (0, Requested(kind=Kind.DOWN, project="shop", stack="local", provider="local", services=SERVICES)),
            (0.1, StageChanged(stage=Stage.PROVISIONING)),
            (0.2, Planned(plan=deleting)),
            *steps,
            (9, Finished(outcome=Outcome.SUCCEEDED)),
        )
    )

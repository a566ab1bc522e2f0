"""What a deployment can look like: each state by name, as the events that lead to it and the moment of looking."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from defang_nb.errors import ProviderError
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
    ServiceInfo,
    ServiceState,
    Stage,
    StageChanged,
    StepFinished,
    StepStarted,
    StepStatus,
)
from defang_nb.model.plan import Action, Change, Plan, Step
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.model.view import DeploymentView, reduce, replay
from tests.render import story
from tests.render.story import BAD_END, GOOD_END, PLAN, SERVICES, WARNING, Told, begun, ended, state, told

AGAIN = "run up again: what is done stays done"


_MANY = [each for each in story.OPENING if isinstance(each[1], BuildLine) and "Downloading" in each[1].line]
OPENING: Told = [each for each in story.OPENING if each not in _MANY[3:]]
"""With a build log that is quickly read."""


class State(NamedTuple):
    """`after` and `left` are seconds since its beginning and to its end, when it is looked at. `detached`: no cell waits."""

    events: list[Event]
    after: float = 120.0
    left: float | None = None
    detached: bool = False

    @property
    def view(self) -> DeploymentView:
        """As the client has it: what the workspace knows by itself, until the story begins."""
        if self.begun:
            return replay(story.ID, self.events)
        view = functools.reduce(reduce, self.events, DeploymentView(id=story.ID, project="shop", stack="local"))
        return msgspec.structs.replace(view, sequence=0)

    @property
    def begun(self) -> bool:
        return isinstance(self.events[0].payload, Requested)

    @property
    def now(self) -> float:
        return story.START + self.after


def _asked(kind: Kind = Kind.UP, services: tuple[ServiceInfo, ...] = SERVICES) -> Told:
    return ((0, Requested(kind=kind, project="shop", stack="local", provider="local", by="ada", services=services)),)


def _workspace(*details: str) -> list[Event]:
    """What the workspace itself says before cd speaks: of no number in the story."""
    return [
        Event(deployment=story.ID, sequence=number, time=story.START, payload=StageChanged(stage=Stage.QUEUED, detail=detail))
        for number, detail in enumerate(details, 1)
    ]


def _plan(*steps: Step) -> Payload:
    return Planned(plan=Plan(steps=steps))


def _finding(severity: Severity, message: str, hint: str = "", **where: object) -> Payload:
    return Diagnosed(diagnostic=Diagnostic(severity=severity, code="x", message=message, hint=hint, **where))  # type: ignore[arg-type]


PLANNED: Told = (*_asked(), (0.1, StageChanged(stage=Stage.PLANNING)))

NO_OP: Told = (
    *PLANNED,
    (0.4, _plan(*(msgspec.structs.replace(each, action=Action.KEEP, cause="", changes=()) for each in PLAN.steps[:-1]))),
    (0.4, StageChanged(stage=Stage.PROVISIONING)),
    *((0.4, state(each.name, ServiceState.DEPLOYMENT_COMPLETED, "unchanged")) for each in SERVICES),
    (0.4, EndpointFound(service="web", url="http://localhost:18080", port=8080)),
    (0.5, Finished(outcome=Outcome.SUCCEEDED, message="nothing to change")),
)


def _skipped(why: str, *urns: str) -> Told:
    """As the engine tells what it did not begin, and the narrator what that means for the service."""
    steps = [each for each in PLAN.steps if each.urn in urns]
    to = ServiceState.NOT_SPECIFIED if why.startswith("cancelled") else ServiceState.DEPLOYMENT_FAILED
    services = [each for each in steps if each.service]
    return (
        *((18.2, ended(each.urn, StepStatus.SKIPPED, why)) for each in steps),
        *((18.2, state(each.service, to, why)) for each in services),
    )


PIP = "the build of worker failed: RUN pip install -r requirements.txt ended with exit code 1"
FAILED_BUILD: Told = (
    *OPENING,
    (18.0, BuildLine(urn="shop/image/worker", line="ERROR: No matching distribution found for fastpai", services=("worker",))),
    (18.1, ended("shop/image/worker", StepStatus.FAILED, PIP)),
    (18.1, state("worker", ServiceState.BUILD_FAILED, PIP)),
    (18.2, ended("shop/service/worker", StepStatus.SKIPPED, "image worker failed")),
    (49.0, ended("shop/service/api")),
    (49.0, state("api", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (49.1, begun("shop/service/web")),
    (55.0, ended("shop/service/web")),
    (55.0, state("web", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (55.0, EndpointFound(service="web", url="http://localhost:18080", port=8080)),
    (
        55.3,
        _finding(
            Severity.ERROR, PIP, "is the name of the package right?",
            position=Position("worker/Dockerfile", 6, 1), excerpt="RUN pip install -r requirements.txt", service="worker",
        ),
    ),
    (56.0, Finished(outcome=Outcome.FAILED, message=f"{PIP}; 2 of 8 steps not begun: worker and old-admin", hint=AGAIN)),
)  # fmt: skip

SICK = "api is not healthy after 30 s: GET http://localhost:18000/health answers 503"
STARTING: Told = (
    *OPENING,
    (30.0, state("api", ServiceState.DEPLOYMENT_PENDING, "health 0/1: 503 Service Unavailable, 12 s in a row")),
)
UNHEALTHY: Told = (
    *STARTING,
    (46.2, LogLine(service="api", line="2026-01-01 00:00:46 WARNING db: connection refused, trying again")),
    (46.2, ended("shop/service/api", StepStatus.ROLLED_BACK, SICK)),
    (46.2, state("api", ServiceState.DEPLOYMENT_FAILED, SICK)),
    (46.3, EndpointFound(service="api", url="http://localhost:18000", port=8000, public=False)),
    (46.3, _finding(Severity.ERROR, SICK, "`logs api` shows all that it wrote", service="api",
                    position=Position("compose.yaml", 12, 5), excerpt="    healthcheck:")),
    *((46.4, each) for _, each in _skipped("api failed", "shop/service/web")),
    (47.0, ended("shop/image/worker")),
    (47.0, begun("shop/service/worker")),
    (50.0, ended("shop/service/worker")),
    (50.0, state("worker", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (51.0, Finished(
        outcome=Outcome.FAILED, hint=AGAIN,
        message=f"{SICK}; rolled back to what was there before: api; 2 of 8 steps not begun: web and old-admin",
    )),
)  # fmt: skip

CANCELLED: Told = (
    *OPENING,
    *_skipped("cancelled while it ran", "shop/image/worker", "shop/service/api"),
    *_skipped("cancelled", "shop/service/worker", "shop/service/web", "shop/service/old"),
    (
        19.1,
        Finished(
            outcome=Outcome.CANCELLED, hint=AGAIN,
            message="cancelled; given up while it ran: image worker and api; 3 of 8 steps not begun: worker, web and old-admin",
        ),
    ),
)  # fmt: skip

ONE_OFF = "migrate ended with exit code 1 after 4 s"
FAILED_ONE_OFF: Told = (
    *(each for each in OPENING if each[0] < 16.0),
    (15.9, LogLine(service="migrate", line='psycopg.errors.UndefinedTable: relation "orders" does not exist')),
    (16.0, ended("shop/run/migrate", StepStatus.FAILED, ONE_OFF)),
    (16.0, state("migrate", ServiceState.DEPLOYMENT_FAILED, ONE_OFF)),
    *_skipped("migrate failed", "shop/service/api", "shop/service/web"),
    (41.0, ended("shop/image/worker")),
    (41.0, begun("shop/service/worker")),
    (44.0, ended("shop/service/worker")),
    (44.0, state("worker", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (45.0, Finished(outcome=Outcome.FAILED, message=f"{ONE_OFF}; 3 of 8 steps not begun: api, web and old-admin", hint=AGAIN)),
)

BACK = Plan(
    steps=(
        Step(urn="shop/postgres/db", type="postgres", action=Action.KEEP, service="db", title="db"),
        Step(
            urn="shop/service/web", type="service", action=Action.UPDATE, cause="image changed", service="web", title="web",
            changes=(Change(path="image", before="sha256:41b7f00d", after="sha256:9c1e08ab"),),
        ),
    )
)  # fmt: skip
ROLLBACK: Told = (
    *_asked(services=(SERVICES[0], SERVICES[4])),
    (0.1, StageChanged(stage=Stage.PLANNING)),
    (0.3, Planned(plan=BACK)),
    (0.3, StageChanged(stage=Stage.PROVISIONING)),
    (0.3, state("db", ServiceState.DEPLOYMENT_COMPLETED, "unchanged")),
    (0.4, begun("shop/service/web")),
    (0.4, state("web", ServiceState.DEPLOYMENT_PENDING, "starting")),
    (3.4, ended("shop/service/web")),
    (3.4, EndpointFound(service="web", url="http://localhost:18080", port=8080)),
    (3.4, state("web", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
    (3.5, Finished(outcome=Outcome.SUCCEEDED, message="1 updated")),
)

DRIFT = Plan(
    steps=(
        Step(urn="shop/redis/cache", type="redis", action=Action.CREATE, cause="is gone", service="cache", title="cache"),
        Step(
            urn="shop/service/web", type="service", action=Action.UPDATE, cause="changed outside", service="web", title="web",
            changes=(Change(path="replicas", before="2", after="5"),),
        ),
    )
)  # fmt: skip
REFRESHED: Told = (
    *_asked(Kind.REFRESH, tuple(msgspec.structs.replace(each, depends_on=()) for each in SERVICES)),
    (0.1, StageChanged(stage=Stage.PLANNING)),
    (0.4, Planned(plan=DRIFT)),
    (0.5, Finished(outcome=Outcome.SUCCEEDED, message="2 of 8 are not as recorded",
                   hint="`up` brings them back to what the project says, `refresh --accept` records them as they are")),
)  # fmt: skip

HOSTILE = (
    "</pre></details><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\x1b[2J\x1b[H\x1b]0;title\x07\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\u202eesrever nul\x00 bell\x07 \x9b31mC1",
    "10%\r55%\r100% done\r",
    "x" * 2500,
)
LOGS: Told = (
    *OPENING,
    *((17.0, BuildLine(urn="shop/image/worker", line=line, services=("worker",))) for line in HOSTILE),
    *((17.0, LogLine(service="api", line=line)) for line in HOSTILE),
)

REFUSED: Told = (
    *PLANNED,
    (0.4, Planned(plan=PLAN)),
    (0.4, Diagnosed(diagnostic=WARNING)),
    (0.5, Finished(outcome=Outcome.FAILED, message="this would delete data: migrate", hint="say `--yes` to allow it")),
)

LONG = "a-service-with-a-name-as-long-as-compose-allows-it-to-be-and-then-some"
MANY = tuple(
    ServiceInfo(name=name, what=f"registry.example.com:5000/team/{name}:2026.01.01", replicas=1 + number % 3)
    for number, name in enumerate([*(f"service-{number:02}" for number in range(24)), LONG])
)
CROWD: Told = (
    *_asked(services=MANY),
    (0.1, StageChanged(stage=Stage.PROVISIONING)),
    (0.2, _plan(*(Step(urn=f"shop/service/{each.name}", type="service", action=Action.CREATE, cause="new in the project",
                       service=each.name, title=each.name) for each in MANY))),
    *((0.3, StepStarted(urn=f"shop/service/{each.name}", action=Action.CREATE, service=each.name, title=each.name))
      for each in MANY[:3]),
    *((0.3, state(each.name, ServiceState.DEPLOYMENT_PENDING, "starting")) for each in MANY[:3]),
    (4.0, StepFinished(urn="shop/service/service-00", action=Action.CREATE, status=StepStatus.DONE)),
    (4.0, state("service-00", ServiceState.DEPLOYMENT_COMPLETED, "healthy")),
)  # fmt: skip


NO_CREDENTIALS = ProviderError("no credentials for AWS are found", hint="aws configure, or set AWS_PROFILE")


def _never_begun() -> list[Event]:
    end = Finished(outcome=Outcome.FAILED, message=NO_CREDENTIALS.message, hint=NO_CREDENTIALS.hint)
    first = _workspace("starting cd")[0]
    return [first, Event(deployment=story.ID, sequence=2, time=story.START + 1, payload=end)]


WAITS = "waiting for deployment 2h8qz of ada@laptop"
DOWN = story.down_told()

STATES: Mapping[str, State] = {
    "uploading": State(_workspace("uploading 3 build contexts (12.4 MiB)"), after=1),
    "never-begun": State(_never_begun()),
    "waiting-for-another": State(told((*_asked(), (0.1, StageChanged(stage=Stage.QUEUED, detail=WAITS)))), after=42),
    "planning": State(told(PLANNED), after=2),
    "refused": State(told(REFUSED)),
    "building": State(told(OPENING, until=3), after=5, left=70),
    "starting": State(told(STARTING), after=33, left=20),
    "detached": State(told(story.OPENING), after=24, left=31, detached=True),
    "hostile-logs": State(told(LOGS), after=24),
    "many-services": State(told(CROWD), after=5),
    "live": State(told(OPENING, GOOD_END)),
    "no-op": State(told(NO_OP)),
    "rollback": State(told(ROLLBACK)),
    "build-failed": State(told(FAILED_BUILD)),
    "crashed": State(told(OPENING, BAD_END)),
    "unhealthy": State(told(UNHEALTHY)),
    "one-off-failed": State(told(FAILED_ONE_OFF)),
    "cancelled": State(told(CANCELLED)),
    "preview": State(story.preview_told()),
    "refresh": State(told(REFRESHED)),
    "removing": State(DOWN[: len(DOWN) // 2], after=4),
    "down": State(DOWN),
}
"""In the order of a deployment's life."""

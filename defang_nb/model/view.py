"""`DeploymentView`, and the one pure function that makes it: `reduce(view, event) -> view`.

The widget, the saved HTML, the terminal, `--json` and the tests all read this; none has logic of its own about state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from defang_nb.model.events import (
    BuildLine,
    Diagnosed,
    EndpointFound,
    Event,
    Finished,
    Kind,
    LogLine,
    Outcome,
    Planned,
    Requested,
    ServiceChanged,
    ServiceState,
    Stage,
    StageChanged,
    StepFinished,
    StepMade,
    StepStarted,
    StepStatus,
)
from defang_nb.model.plan import Action, Plan
from defang_nb.model.source import Diagnostic

LOG_LINES = 200
"""How many lines of each build and service log a view holds; the rest is counted as dropped."""


LINE_LENGTH = 2000
"""How many characters of a line it holds; the stored story has all of them."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines of a log, and how many earlier ones are not held."""

    lines: tuple[str, ...] = ()
    dropped: int = 0

    def append(self, *lines: str) -> Log:
        held = (*self.lines, *map(clipped, lines[-LOG_LINES:]))[-LOG_LINES:]
        return Log(lines=held, dropped=self.dropped + len(self.lines) + len(lines) - len(held))


def clipped(line: str) -> str:
    """The line as far as a log holds it, with how much more there is; of one that was redrawn, its last state."""
    if len(line) <= LINE_LENGTH:
        return line
    line = line.rstrip("\r").rpartition("\r")[2]
    more = len(line) - LINE_LENGTH
    return f"{line[:LINE_LENGTH]} … {more:,} characters more" if more > 0 else line


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    port: int
    public: bool = True


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """`changed` is the time of the last change; `log` is what the story holds of the service's own output."""

    name: str
    what: str = ""
    managed: str = ""
    replicas: int = 1
    depends_on: tuple[str, ...] = ()
    state: ServiceState = ServiceState.NOT_SPECIFIED
    detail: str = ""
    changed: float = 0.0
    endpoints: tuple[Endpoint, ...] = ()
    log: Log = Log()


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the timeline. `made`: when what it makes was there, and only waited for until ready (None: no such wait)."""

    urn: str
    action: Action
    title: str = ""
    service: str = ""
    status: StepStatus = StepStatus.RUNNING
    started: float = 0.0
    made: float | None = None
    finished: float | None = None
    message: str = ""


class BuildView(msgspec.Struct, frozen=True, kw_only=True):
    urn: str
    services: tuple[str, ...] = ()
    step: int = 0
    steps: int = 0
    log: Log = Log()


class DeploymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as one sees it at one moment. Times are seconds since the epoch."""

    id: str
    kind: Kind = Kind.UP
    project: str = ""
    stack: str = ""
    provider: str = ""
    by: str = ""
    stage: Stage = Stage.QUEUED
    detail: str = ""
    outcome: Outcome | None = None
    message: str = ""
    hint: str = ""
    started: float = 0.0
    updated: float = 0.0
    finished: float | None = None
    sequence: int = 0
    services: Mapping[str, ServiceView] = {}
    steps: Mapping[str, StepView] = {}
    builds: Mapping[str, BuildView] = {}
    plan: Plan | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def done(self) -> bool:
        return self.outcome is not None

    @property
    def progress(self) -> float:
        """0…1: the share of the plan's changing steps that are over; 1 once finished well."""
        if self.outcome is Outcome.SUCCEEDED:
            return 1.0
        wanted = len(self.plan.mutations) if self.plan else 0
        over = sum(step.status is not StepStatus.RUNNING for step in self.steps.values())
        return min(1.0, over / wanted) if wanted else 0.0


def reduce(view: DeploymentView, event: Event) -> DeploymentView:
    """The view after `event`. An event that was seen already (or of another deployment) changes nothing."""
    if event.deployment != view.id or event.sequence <= view.sequence:
        return view
    view = msgspec.structs.replace(view, sequence=event.sequence, updated=event.time)
    match event.payload:
        case Requested() as it:
            return _requested(view, it, event.time)
        case StageChanged(stage=stage, detail=detail):
            return msgspec.structs.replace(view, stage=stage, detail=detail)
        case ServiceChanged() as it:
            return _with_service(view, it.service, state=it.state, detail=it.detail, changed=event.time)
        case EndpointFound() as it:
            endpoint = Endpoint(url=it.url, port=it.port, public=it.public)
            known = view.services.get(it.service, ServiceView(name=it.service)).endpoints
            others = tuple(each for each in known if each.url != it.url)
            return _with_service(view, it.service, endpoints=(*others, endpoint))
        case LogLine(service=name, line=line, more=more):
            return _with_service(view, name, log=view.services.get(name, ServiceView(name=name)).log.append(line, *more))
        case BuildLine() as it:
            return _with_build_line(view, it)
        case Planned(plan=plan):
            return msgspec.structs.replace(view, plan=plan)
        case StepStarted() as it:
            step = StepView(urn=it.urn, action=it.action, title=it.title, service=it.service, started=event.time)
            return msgspec.structs.replace(view, steps={**view.steps, it.urn: step})
        case StepMade(urn=urn):
            return _with_made(view, urn, event.time)
        case StepFinished() as it:
            begun = view.steps.get(it.urn) or _never_begun(view, it, event.time)
            step = msgspec.structs.replace(begun, status=it.status, finished=event.time, message=it.message)
            return msgspec.structs.replace(view, steps={**view.steps, it.urn: step})
        case Diagnosed(diagnostic=diagnostic):
            return msgspec.structs.replace(view, diagnostics=(*view.diagnostics, diagnostic))
        case Finished() as it:
            return msgspec.structs.replace(
                view,
                stage=Stage.FINISHED,
                outcome=it.outcome,
                message=it.message,
                hint=it.hint,
                detail="",
                finished=event.time,
            )


def replay(deployment: str, events: Iterable[Event]) -> DeploymentView:
    """The view after all of `events`, which must be in order."""
    view = DeploymentView(id=deployment)
    for event in events:
        view = reduce(view, event)
    return view


def _requested(view: DeploymentView, it: Requested, time: float) -> DeploymentView:
    services = {
        info.name: ServiceView(
            name=info.name,
            what=info.what,
            managed=info.managed,
            replicas=info.replicas,
            depends_on=info.depends_on,
            changed=time,
        )
        for info in it.services
    }
    return msgspec.structs.replace(
        view,
        kind=it.kind,
        project=it.project,
        stack=it.stack,
        provider=it.provider,
        by=it.by,
        started=time,
        services=services,
    )


def _never_begun(view: DeploymentView, it: StepFinished, time: float) -> StepView:
    """A step that ends (is skipped) without having begun: the plan knows whose it is."""
    planned = next((each for each in view.plan.steps if each.urn == it.urn), None) if view.plan else None
    title, service = (planned.title, planned.service) if planned else ("", "")
    return StepView(urn=it.urn, action=it.action, title=title, service=service, started=time)


def _with_made(view: DeploymentView, urn: str, time: float) -> DeploymentView:
    """Of one that is made twice (it goes back to what was before), the first time counts."""
    step = view.steps.get(urn)
    if step is None or step.made is not None:
        return view
    return msgspec.structs.replace(view, steps={**view.steps, urn: msgspec.structs.replace(step, made=time)})


def _with_service(view: DeploymentView, name: str, **changes: object) -> DeploymentView:
    service = msgspec.structs.replace(view.services.get(name, ServiceView(name=name)), **changes)
    return msgspec.structs.replace(view, services={**view.services, name: service})


def _with_build_line(view: DeploymentView, it: BuildLine) -> DeploymentView:
    build = view.builds.get(it.urn, BuildView(urn=it.urn))
    build = msgspec.structs.replace(
        build,
        services=it.services or build.services,
        step=it.step or build.step,
        steps=it.steps or build.steps,
        log=build.log.append(it.line, *it.more),
    )
    return msgspec.structs.replace(view, builds={**view.builds, it.urn: build})

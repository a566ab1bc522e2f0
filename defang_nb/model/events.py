"""Events: everything that a person may see about a deployment.

An `Event` is one numbered, timed entry of a deployment's story; its `payload` is one of the structs below. The story begins
with `Requested` (sequence 1) and ends with `Finished`. `proto/defang_nb/cd/v1/cd.proto` mirrors these shapes field by field.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from defang_nb.model.plan import Action, Plan
from defang_nb.model.source import Diagnostic


class Kind(StrEnum):
    """What a deployment is meant to do."""

    UP = "up"
    DOWN = "down"
    PREVIEW = "preview"
    REFRESH = "refresh"


class Stage(StrEnum):
    """Where a deployment is: waiting for the lease, comparing, building and provisioning, waiting for health, at its end."""

    QUEUED = "queued"
    PLANNING = "planning"
    PROVISIONING = "provisioning"
    SETTLING = "settling"
    FINISHED = "finished"


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ServiceState(StrEnum):
    """The reference's names (Defang's `ServiceState`), so that people who know them read them here too."""

    NOT_SPECIFIED = "NOT_SPECIFIED"
    BUILD_QUEUED = "BUILD_QUEUED"
    BUILD_PROVISIONING = "BUILD_PROVISIONING"
    BUILD_PENDING = "BUILD_PENDING"
    BUILD_ACTIVATING = "BUILD_ACTIVATING"
    BUILD_RUNNING = "BUILD_RUNNING"
    BUILD_STOPPING = "BUILD_STOPPING"
    UPDATE_QUEUED = "UPDATE_QUEUED"
    DEPLOYMENT_PENDING = "DEPLOYMENT_PENDING"
    DEPLOYMENT_COMPLETED = "DEPLOYMENT_COMPLETED"
    DEPLOYMENT_FAILED = "DEPLOYMENT_FAILED"
    BUILD_FAILED = "BUILD_FAILED"
    DEPLOYMENT_SCALED_IN = "DEPLOYMENT_SCALED_IN"


class ServiceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a view needs to know of a service before anything happened to it. `what` is its image or "build ./app"."""

    name: str
    what: str = ""
    managed: str = ""
    replicas: int = 1
    depends_on: tuple[str, ...] = ()


class Requested(msgspec.Struct, frozen=True, kw_only=True, tag="requested"):
    kind: Kind
    project: str
    stack: str
    provider: str
    by: str = ""
    services: tuple[ServiceInfo, ...] = ()


class StageChanged(msgspec.Struct, frozen=True, kw_only=True, tag="stage_changed"):
    stage: Stage
    detail: str = ""


class ServiceChanged(msgspec.Struct, frozen=True, kw_only=True, tag="service_changed"):
    """`detail` is one short phrase for people: "step 6/9", "waiting for db", "exited 0 in 4 s", "unchanged"."""

    service: str
    state: ServiceState
    detail: str = ""


class BuildLine(msgspec.Struct, frozen=True, kw_only=True, tag="build_line"):
    """A line of an image's build log. `step` of `steps` when it begins one (else 0), `cached` when nothing had to be done.

    `seconds`: how long the step took that this line says the end of (else 0). `more`: lines right after it, of many at once.
    """

    urn: str
    line: str
    services: tuple[str, ...] = ()
    step: int = 0
    steps: int = 0
    cached: bool = False
    seconds: float = 0.0
    more: tuple[str, ...] = ()


class LogLine(msgspec.Struct, frozen=True, kw_only=True, tag="log_line"):
    """A line that a service wrote; part of the story only where it explains it (a crash at start). `more` as in `BuildLine`."""

    service: str
    line: str
    more: tuple[str, ...] = ()


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag="planned"):
    plan: Plan


class StepStarted(msgspec.Struct, frozen=True, kw_only=True, tag="step_started"):
    urn: str
    action: Action
    service: str = ""
    title: str = ""


class StepMade(msgspec.Struct, frozen=True, kw_only=True, tag="step_made"):
    """What the step makes is there; from now on it is waited for until it is ready (its health checks succeed)."""

    urn: str


class StepStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    ROLLED_BACK = "rolled_back"


class StepFinished(msgspec.Struct, frozen=True, kw_only=True, tag="step_finished"):
    urn: str
    action: Action
    status: StepStatus
    message: str = ""


class EndpointFound(msgspec.Struct, frozen=True, kw_only=True, tag="endpoint_found"):
    """Where a service answers. `port` is the service's own (target) port; `public` when it is meant for people."""

    service: str
    url: str
    port: int
    public: bool = True


class Diagnosed(msgspec.Struct, frozen=True, kw_only=True, tag="diagnosed"):
    diagnostic: Diagnostic


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """`error` is the kind of what made it fail, by its name in `errors` ("BuildError"); "" when it is of no such kind."""

    outcome: Outcome
    message: str = ""
    hint: str = ""
    error: str = ""


Payload = (
    Requested
    | StageChanged
    | ServiceChanged
    | BuildLine
    | LogLine
    | Planned
    | StepStarted
    | StepMade
    | StepFinished
    | EndpointFound
    | Diagnosed
    | Finished
)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`sequence` counts from 1 without gaps; `time` is seconds since the epoch, as cd's clock says."""

    deployment: str
    sequence: int
    time: float
    payload: Payload


class DeploymentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment in a list. `outcome` is None while it runs, or when its cd died before saying how it ended.

    `rollback_of`: the earlier deployment that it deployed again.
    """

    id: str
    kind: Kind
    project: str
    stack: str
    started: float
    by: str = ""
    finished: float | None = None
    outcome: Outcome | None = None
    message: str = ""
    rollback_of: str = ""

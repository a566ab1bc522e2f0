import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_UP: _ClassVar[Kind]
    KIND_DOWN: _ClassVar[Kind]
    KIND_PREVIEW: _ClassVar[Kind]
    KIND_REFRESH: _ClassVar[Kind]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_QUEUED: _ClassVar[Stage]
    STAGE_PLANNING: _ClassVar[Stage]
    STAGE_PROVISIONING: _ClassVar[Stage]
    STAGE_SETTLING: _ClassVar[Stage]
    STAGE_FINISHED: _ClassVar[Stage]

class ServiceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_STATE_NOT_SPECIFIED: _ClassVar[ServiceState]
    SERVICE_STATE_BUILD_QUEUED: _ClassVar[ServiceState]
    SERVICE_STATE_BUILD_PROVISIONING: _ClassVar[ServiceState]
    SERVICE_STATE_BUILD_PENDING: _ClassVar[ServiceState]
    SERVICE_STATE_BUILD_ACTIVATING: _ClassVar[ServiceState]
    SERVICE_STATE_BUILD_RUNNING: _ClassVar[ServiceState]
    SERVICE_STATE_BUILD_STOPPING: _ClassVar[ServiceState]
    SERVICE_STATE_UPDATE_QUEUED: _ClassVar[ServiceState]
    SERVICE_STATE_DEPLOYMENT_PENDING: _ClassVar[ServiceState]
    SERVICE_STATE_DEPLOYMENT_COMPLETED: _ClassVar[ServiceState]
    SERVICE_STATE_DEPLOYMENT_FAILED: _ClassVar[ServiceState]
    SERVICE_STATE_BUILD_FAILED: _ClassVar[ServiceState]
    SERVICE_STATE_DEPLOYMENT_SCALED_IN: _ClassVar[ServiceState]

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    ACTION_CREATE: _ClassVar[Action]
    ACTION_UPDATE: _ClassVar[Action]
    ACTION_REPLACE: _ClassVar[Action]
    ACTION_DELETE: _ClassVar[Action]
    ACTION_KEEP: _ClassVar[Action]
    ACTION_ADOPT: _ClassVar[Action]

class StepStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_STATUS_UNSPECIFIED: _ClassVar[StepStatus]
    STEP_STATUS_RUNNING: _ClassVar[StepStatus]
    STEP_STATUS_DONE: _ClassVar[StepStatus]
    STEP_STATUS_FAILED: _ClassVar[StepStatus]
    STEP_STATUS_SKIPPED: _ClassVar[StepStatus]
    STEP_STATUS_ROLLED_BACK: _ClassVar[StepStatus]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_SUCCEEDED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
    OUTCOME_CANCELLED: _ClassVar[Outcome]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_ERROR: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]
    SEVERITY_INFO: _ClassVar[Severity]
KIND_UNSPECIFIED: Kind
KIND_UP: Kind
KIND_DOWN: Kind
KIND_PREVIEW: Kind
KIND_REFRESH: Kind
STAGE_UNSPECIFIED: Stage
STAGE_QUEUED: Stage
STAGE_PLANNING: Stage
STAGE_PROVISIONING: Stage
STAGE_SETTLING: Stage
STAGE_FINISHED: Stage
SERVICE_STATE_NOT_SPECIFIED: ServiceState
SERVICE_STATE_BUILD_QUEUED: ServiceState
SERVICE_STATE_BUILD_PROVISIONING: ServiceState
SERVICE_STATE_BUILD_PENDING: ServiceState
SERVICE_STATE_BUILD_ACTIVATING: ServiceState
SERVICE_STATE_BUILD_RUNNING: ServiceState
SERVICE_STATE_BUILD_STOPPING: ServiceState
SERVICE_STATE_UPDATE_QUEUED: ServiceState
SERVICE_STATE_DEPLOYMENT_PENDING: ServiceState
SERVICE_STATE_DEPLOYMENT_COMPLETED: ServiceState
SERVICE_STATE_DEPLOYMENT_FAILED: ServiceState
SERVICE_STATE_BUILD_FAILED: ServiceState
SERVICE_STATE_DEPLOYMENT_SCALED_IN: ServiceState
ACTION_UNSPECIFIED: Action
ACTION_CREATE: Action
ACTION_UPDATE: Action
ACTION_REPLACE: Action
ACTION_DELETE: Action
ACTION_KEEP: Action
ACTION_ADOPT: Action
STEP_STATUS_UNSPECIFIED: StepStatus
STEP_STATUS_RUNNING: StepStatus
STEP_STATUS_DONE: StepStatus
STEP_STATUS_FAILED: StepStatus
STEP_STATUS_SKIPPED: StepStatus
STEP_STATUS_ROLLED_BACK: StepStatus
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_SUCCEEDED: Outcome
OUTCOME_FAILED: Outcome
OUTCOME_CANCELLED: Outcome
SEVERITY_UNSPECIFIED: Severity
SEVERITY_ERROR: Severity
SEVERITY_WARNING: Severity
SEVERITY_INFO: Severity

class GetInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInfoResponse(_message.Message):
    __slots__ = ("protocol", "version", "stack", "pid", "started", "running")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    version: str
    stack: str
    pid: int
    started: _timestamp_pb2.Timestamp
    running: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, protocol: _Optional[int] = ..., version: _Optional[str] = ..., stack: _Optional[str] = ..., pid: _Optional[int] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., running: _Optional[_Iterable[str]] = ...) -> None: ...

class DeployRequest(_message.Message):
    __slots__ = ("deployment", "kind", "protocol", "stack", "project", "images", "diagnostics", "build", "dry_run", "yes", "wait_timeout", "by", "lease_wait", "rollback_of", "repair", "accept", "expected", "orphans", "uploading")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    YES_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    LEASE_WAIT_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_OF_FIELD_NUMBER: _ClassVar[int]
    REPAIR_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    ORPHANS_FIELD_NUMBER: _ClassVar[int]
    UPLOADING_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    kind: Kind
    protocol: int
    stack: Stack
    project: bytes
    images: _containers.RepeatedScalarFieldContainer[bytes]
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    build: bool
    dry_run: bool
    yes: bool
    wait_timeout: float
    by: str
    lease_wait: float
    rollback_of: str
    repair: bool
    accept: bool
    expected: Plan
    orphans: bool
    uploading: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, deployment: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., protocol: _Optional[int] = ..., stack: _Optional[_Union[Stack, _Mapping]] = ..., project: _Optional[bytes] = ..., images: _Optional[_Iterable[bytes]] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ..., build: _Optional[bool] = ..., dry_run: _Optional[bool] = ..., yes: _Optional[bool] = ..., wait_timeout: _Optional[float] = ..., by: _Optional[str] = ..., lease_wait: _Optional[float] = ..., rollback_of: _Optional[str] = ..., repair: _Optional[bool] = ..., accept: _Optional[bool] = ..., expected: _Optional[_Union[Plan, _Mapping]] = ..., orphans: _Optional[bool] = ..., uploading: _Optional[_Iterable[str]] = ...) -> None: ...

class Stack(_message.Message):
    __slots__ = ("name", "provider", "settings")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    settings: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., settings: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DeployResponse(_message.Message):
    __slots__ = ("deployment",)
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    def __init__(self, deployment: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("deployment", "from_sequence")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    from_sequence: int
    def __init__(self, deployment: _Optional[str] = ..., from_sequence: _Optional[int] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("deployment",)
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    def __init__(self, deployment: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Event(_message.Message):
    __slots__ = ("deployment", "sequence", "time", "requested", "stage_changed", "service_changed", "build_line", "log_line", "planned", "step_started", "step_finished", "endpoint_found", "diagnosed", "finished", "step_made")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_FIELD_NUMBER: _ClassVar[int]
    STAGE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    BUILD_LINE_FIELD_NUMBER: _ClassVar[int]
    LOG_LINE_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    STEP_FINISHED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FOUND_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    STEP_MADE_FIELD_NUMBER: _ClassVar[int]
    deployment: str
    sequence: int
    time: _timestamp_pb2.Timestamp
    requested: Requested
    stage_changed: StageChanged
    service_changed: ServiceChanged
    build_line: BuildLine
    log_line: LogLine
    planned: Planned
    step_started: StepStarted
    step_finished: StepFinished
    endpoint_found: EndpointFound
    diagnosed: Diagnosed
    finished: Finished
    step_made: StepMade
    def __init__(self, deployment: _Optional[str] = ..., sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., requested: _Optional[_Union[Requested, _Mapping]] = ..., stage_changed: _Optional[_Union[StageChanged, _Mapping]] = ..., service_changed: _Optional[_Union[ServiceChanged, _Mapping]] = ..., build_line: _Optional[_Union[BuildLine, _Mapping]] = ..., log_line: _Optional[_Union[LogLine, _Mapping]] = ..., planned: _Optional[_Union[Planned, _Mapping]] = ..., step_started: _Optional[_Union[StepStarted, _Mapping]] = ..., step_finished: _Optional[_Union[StepFinished, _Mapping]] = ..., endpoint_found: _Optional[_Union[EndpointFound, _Mapping]] = ..., diagnosed: _Optional[_Union[Diagnosed, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., step_made: _Optional[_Union[StepMade, _Mapping]] = ...) -> None: ...

class Requested(_message.Message):
    __slots__ = ("kind", "project", "stack", "provider", "by", "services")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    project: str
    stack: str
    provider: str
    by: str
    services: _containers.RepeatedCompositeFieldContainer[ServiceInfo]
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., project: _Optional[str] = ..., stack: _Optional[str] = ..., provider: _Optional[str] = ..., by: _Optional[str] = ..., services: _Optional[_Iterable[_Union[ServiceInfo, _Mapping]]] = ...) -> None: ...

class ServiceInfo(_message.Message):
    __slots__ = ("name", "what", "managed", "replicas", "depends_on")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    MANAGED_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    name: str
    what: str
    managed: str
    replicas: int
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., what: _Optional[str] = ..., managed: _Optional[str] = ..., replicas: _Optional[int] = ..., depends_on: _Optional[_Iterable[str]] = ...) -> None: ...

class StageChanged(_message.Message):
    __slots__ = ("stage", "detail")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    detail: str
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., detail: _Optional[str] = ...) -> None: ...

class ServiceChanged(_message.Message):
    __slots__ = ("service", "state", "detail")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    service: str
    state: ServiceState
    detail: str
    def __init__(self, service: _Optional[str] = ..., state: _Optional[_Union[ServiceState, str]] = ..., detail: _Optional[str] = ...) -> None: ...

class BuildLine(_message.Message):
    __slots__ = ("urn", "line", "services", "step", "steps", "cached", "seconds", "more")
    URN_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    urn: str
    line: str
    services: _containers.RepeatedScalarFieldContainer[str]
    step: int
    steps: int
    cached: bool
    seconds: float
    more: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, urn: _Optional[str] = ..., line: _Optional[str] = ..., services: _Optional[_Iterable[str]] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., cached: _Optional[bool] = ..., seconds: _Optional[float] = ..., more: _Optional[_Iterable[str]] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("service", "line", "more")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    service: str
    line: str
    more: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, service: _Optional[str] = ..., line: _Optional[str] = ..., more: _Optional[_Iterable[str]] = ...) -> None: ...

class Planned(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: Plan
    def __init__(self, plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("steps", "state_version")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    STATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    state_version: str
    def __init__(self, steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., state_version: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("urn", "type", "action", "cause", "changes", "service", "title", "protect", "after")
    URN_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PROTECT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    urn: str
    type: str
    action: Action
    cause: str
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    service: str
    title: str
    protect: bool
    after: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, urn: _Optional[str] = ..., type: _Optional[str] = ..., action: _Optional[_Union[Action, str]] = ..., cause: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ..., service: _Optional[str] = ..., title: _Optional[str] = ..., protect: _Optional[bool] = ..., after: _Optional[_Iterable[str]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("path", "before", "after", "replaces")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    REPLACES_FIELD_NUMBER: _ClassVar[int]
    path: str
    before: str
    after: str
    replaces: bool
    def __init__(self, path: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ..., replaces: _Optional[bool] = ...) -> None: ...

class StepStarted(_message.Message):
    __slots__ = ("urn", "action", "service", "title")
    URN_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    urn: str
    action: Action
    service: str
    title: str
    def __init__(self, urn: _Optional[str] = ..., action: _Optional[_Union[Action, str]] = ..., service: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class StepMade(_message.Message):
    __slots__ = ("urn",)
    URN_FIELD_NUMBER: _ClassVar[int]
    urn: str
    def __init__(self, urn: _Optional[str] = ...) -> None: ...

class StepFinished(_message.Message):
    __slots__ = ("urn", "action", "status", "message")
    URN_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    urn: str
    action: Action
    status: StepStatus
    message: str
    def __init__(self, urn: _Optional[str] = ..., action: _Optional[_Union[Action, str]] = ..., status: _Optional[_Union[StepStatus, str]] = ..., message: _Optional[str] = ...) -> None: ...

class EndpointFound(_message.Message):
    __slots__ = ("service", "url", "port", "public")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_FIELD_NUMBER: _ClassVar[int]
    service: str
    url: str
    port: int
    public: bool
    def __init__(self, service: _Optional[str] = ..., url: _Optional[str] = ..., port: _Optional[int] = ..., public: _Optional[bool] = ...) -> None: ...

class Diagnosed(_message.Message):
    __slots__ = ("diagnostic",)
    DIAGNOSTIC_FIELD_NUMBER: _ClassVar[int]
    diagnostic: Diagnostic
    def __init__(self, diagnostic: _Optional[_Union[Diagnostic, _Mapping]] = ...) -> None: ...

class Diagnostic(_message.Message):
    __slots__ = ("severity", "code", "message", "hint", "position", "path", "service", "excerpt")
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    EXCERPT_FIELD_NUMBER: _ClassVar[int]
    severity: Severity
    code: str
    message: str
    hint: str
    position: Position
    path: str
    service: str
    excerpt: str
    def __init__(self, severity: _Optional[_Union[Severity, str]] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., position: _Optional[_Union[Position, _Mapping]] = ..., path: _Optional[str] = ..., service: _Optional[str] = ..., excerpt: _Optional[str] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("file", "line", "column")
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    file: str
    line: int
    column: int
    def __init__(self, file: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("outcome", "message", "hint", "error")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    message: str
    hint: str
    error: str
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

"""Every event and request survives the wire and the store, whatever is in it."""

from __future__ import annotations

import re
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from defang_nb.model.image import ImageSource
from defang_nb.model.plan import Action, Change, Plan, Step
from defang_nb.model.project import Build, Project, Service
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.model.stack import Stack
from defang_nb.model.value import ConfigRef
from defang_nb.wire import event_from_json, event_from_wire, event_to_json, event_to_wire, request_from_wire, request_to_wire
from defang_nb.wire.generated import cd_pb2 as pb

TEXT = st.text(max_size=20)
COUNT = st.integers(min_value=0, max_value=2**31)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
POSITION = st.builds(Position, TEXT, COUNT, COUNT)
DIAGNOSTIC = st.builds(
    Diagnostic, severity=st.sampled_from(Severity), code=TEXT, message=TEXT, hint=TEXT, position=st.none() | POSITION,
    path=TEXT, service=TEXT, excerpt=TEXT,
)  # fmt: skip
CHANGE = st.builds(Change, path=TEXT, before=TEXT, after=TEXT, replaces=st.booleans())
STEP = st.builds(
    Step, urn=TEXT, type=TEXT, action=st.sampled_from(Action), cause=TEXT, changes=st.lists(CHANGE, max_size=2).map(tuple),
    service=TEXT, title=TEXT, protect=st.booleans(), after=NAMES,
)  # fmt: skip
INFO = st.builds(ServiceInfo, name=TEXT, what=TEXT, managed=TEXT, replicas=COUNT, depends_on=NAMES)
PAYLOADS = {
    Requested: st.builds(
        Requested, kind=st.sampled_from(Kind), project=TEXT, stack=TEXT, provider=TEXT, by=TEXT,
        services=st.lists(INFO, max_size=2).map(tuple),
    ),
    StageChanged: st.builds(StageChanged, stage=st.sampled_from(Stage), detail=TEXT),
    ServiceChanged: st.builds(ServiceChanged, service=TEXT, state=st.sampled_from(ServiceState), detail=TEXT),
    BuildLine: st.builds(BuildLine, urn=TEXT, line=TEXT, services=NAMES, step=COUNT, steps=COUNT, cached=st.booleans()),
    LogLine: st.builds(LogLine, service=TEXT, line=TEXT),
    Planned: st.builds(Planned, plan=st.builds(Plan, steps=st.lists(STEP, max_size=2).map(tuple), state_version=TEXT)),
    StepStarted: st.builds(StepStarted, urn=TEXT, action=st.sampled_from(Action), service=TEXT, title=TEXT),
    StepMade: st.builds(StepMade, urn=TEXT),
    StepFinished: st.builds(
        StepFinished, urn=TEXT, action=st.sampled_from(Action), status=st.sampled_from(StepStatus), message=TEXT
    ),
    EndpointFound: st.builds(EndpointFound, service=TEXT, url=TEXT, port=COUNT, public=st.booleans()),
    Diagnosed: st.builds(Diagnosed, diagnostic=DIAGNOSTIC),
    Finished: st.builds(Finished, outcome=st.sampled_from(Outcome), message=TEXT, hint=TEXT),
}  # fmt: skip
EVENT = st.builds(
    Event,
    deployment=TEXT,
    sequence=st.integers(min_value=1, max_value=2**31),
    time=st.floats(min_value=0, max_value=4e9),
    payload=st.one_of(*PAYLOADS.values()),
)


def test_every_kind_of_event_is_tried() -> None:
    assert set(PAYLOADS) == set(get_args(Payload))


@pytest.mark.parametrize("kind", [Kind, Stage, ServiceState, Action, StepStatus, Outcome, Severity])
def test_the_contract_has_every_value(kind: type) -> None:
    ours = {each.name for each in kind}  # type: ignore[attr-defined]
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper() + "_"
    theirs = {name.removeprefix(prefix) for name in getattr(pb, kind.__name__).keys()}  # noqa: SIM118 - no mapping
    assert theirs - {"UNSPECIFIED"} == ours


@settings(max_examples=50)
@given(EVENT)
def test_an_event_survives_the_wire(event: Event) -> None:
    sent = event_to_wire(event).SerializeToString()
    back = event_from_wire(pb.Event.FromString(sent))
    assert back == msgspec.structs.replace(event, time=back.time)
    assert back.time == pytest.approx(event.time, abs=1e-6)


@settings(max_examples=50)
@given(EVENT)
def test_an_event_survives_the_store_on_one_line(event: Event) -> None:
    line = event_to_json(event)
    assert "\n" not in line
    back = event_from_json(line.encode())
    assert back == msgspec.structs.replace(event, time=back.time)


def test_todays_times_survive_exactly() -> None:
    event = Event(deployment="d", sequence=1, time=1795408679.0535638, payload=LogLine(service="web", line=""))
    assert event_from_json(event_to_json(event)) == event


def test_what_is_no_unicode_is_replaced() -> None:
    event = Event(deployment="d", sequence=1, time=0.0, payload=LogLine(service="web", line="caf\udce9"))
    assert event_from_json(event_to_json(event)).payload == LogLine(service="web", line="caf?")


def test_fields_of_a_newer_version_are_left_out() -> None:
    told = '"deployment": "d", "sequence": 1, "time": "1970-01-01T00:00:00Z"'
    event = event_from_json("{" + told + ', "next": 1, "logLine": {"service": "web", "mood": 2}}')
    assert event.payload == LogLine(service="web", line="")


@pytest.mark.parametrize("line", ["", "{", "[]", '{"deployment": "d", "sequence": 1}', '{"sequence": "many"}'])
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        event_from_json(line)


def test_a_request_survives_the_wire() -> None:
    web = Service(
        name="web",
        build=Build(context="/srv/app", args={"V": ("1.", ConfigRef("MINOR"))}),
        environment={"URL": ("postgres://", ConfigRef("PASSWORD"), "@db")},
    )
    request = DeployRequest(
        deployment=new_id(),
        kind=Kind.UP,
        stack=Stack(name="local", settings={"DEFANG_ENGINE": "process"}),
        project=Project(name="shop", services={"web": web}, positions={"services.web": Position("compose.yaml", 3)}),
        images=(
            ImageSource(reference="shop/web:1", digest="1", context_key="c", services=("web",), args={"A": (ConfigRef("K"),)}),
        ),
        diagnostics=(Diagnostic(severity=Severity.WARNING, code="x", message="é"),),
        yes=True,
        wait_timeout=0.0,
        by="me@here",
    )  # fmt: skip
    assert request_from_wire(pb.DeployRequest.FromString(request_to_wire(request).SerializeToString())) == request


@pytest.mark.parametrize("project", [b"", b"{", b"[]", b'{"name": 1, "services": {}}'])
def test_what_is_no_request_is_refused(project: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        request_from_wire(pb.DeployRequest(deployment="d", kind=pb.KIND_UP, project=project, stack=pb.Stack(name="local")))


def test_ids_sort_by_time_and_differ() -> None:
    assert new_id(1000.0)[:9] < new_id(1000.002)[:9] < new_id(4e9)[:9]
    assert len({new_id(1000.0) for _ in range(20)}) > 1

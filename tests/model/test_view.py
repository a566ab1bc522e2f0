"""The reducer: one pure function behind every view."""

from __future__ import annotations

import msgspec
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
from defang_nb.model.plan import Action, Plan, Step
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.view import LOG_LINES, DeploymentView, reduce, replay

REQUESTED = Requested(
    kind=Kind.UP,
    project="shop",
    stack="local",
    provider="local",
    services=(ServiceInfo(name="web", what="build ./web", depends_on=("db",)), ServiceInfo(name="db", managed="postgres")),
)
PLAN = Plan(
    steps=(
        Step(urn="shop/process/db", type="process", action=Action.CREATE),
        Step(urn="shop/process/web", type="process", action=Action.UPDATE),
        Step(urn="shop/process/old", type="process", action=Action.KEEP),
    )
)


def story(*payloads: Payload) -> list[Event]:
    return [Event(deployment="d", sequence=n, time=100.0 + n, payload=payload) for n, payload in enumerate(payloads, 1)]


def test_a_story_from_request_to_success() -> None:
    view = replay(
        "d",
        story(
            REQUESTED,
            StageChanged(stage=Stage.PLANNING),
            Planned(plan=PLAN),
            StepStarted(urn="shop/process/db", action=Action.CREATE, service="db", title="db"),
            ServiceChanged(service="db", state=ServiceState.DEPLOYMENT_PENDING, detail="starting"),
            StepFinished(urn="shop/process/db", action=Action.CREATE, status=StepStatus.DONE),
            EndpointFound(service="web", url="http://localhost:8000", port=80),
            Finished(outcome=Outcome.SUCCEEDED, message="1 created"),
        ),
    )
    assert (view.project, view.stage, view.outcome, view.progress) == ("shop", Stage.FINISHED, Outcome.SUCCEEDED, 1.0)
    assert (view.started, view.finished, view.sequence) == (101.0, 108.0, 8)
    assert list(view.services) == ["web", "db"]
    assert view.services["db"].detail == "starting"
    assert [each.url for each in view.services["web"].endpoints] == ["http://localhost:8000"]
    assert view.steps["shop/process/db"].finished == 106.0


def test_progress_counts_steps_that_change_something() -> None:
    events = story(
        REQUESTED,
        Planned(plan=PLAN),
        StepStarted(urn="shop/process/db", action=Action.CREATE),
        StepFinished(urn="shop/process/db", action=Action.CREATE, status=StepStatus.DONE),
    )
    assert replay("d", events[:2]).progress == 0.0
    assert replay("d", events).progress == 0.5
    assert replay("d", story(REQUESTED)).progress == 0.0


def test_when_a_step_only_waits_is_kept_from_the_first_time() -> None:
    begun = StepStarted(urn="shop/process/db", action=Action.UPDATE)
    made = StepMade(urn="shop/process/db")
    view = replay("d", story(REQUESTED, begun, made, made, StepMade(urn="unknown")))
    assert {urn: step.made for urn, step in view.steps.items()} == {"shop/process/db": 103.0}


def test_a_step_that_ends_without_having_begun_is_shown() -> None:
    skipped = StepFinished(urn="shop/process/web", action=Action.UPDATE, status=StepStatus.SKIPPED, message="db failed")
    step = replay("d", story(REQUESTED, skipped)).steps["shop/process/web"]
    assert (step.status, step.message) == (StepStatus.SKIPPED, "db failed")


def test_an_endpoint_told_twice_is_one() -> None:
    found = EndpointFound(service="web", url="http://localhost:8000", port=80)
    other = EndpointFound(service="web", url="http://localhost:8001", port=81, public=False)
    view = replay("d", story(REQUESTED, found, other, found))
    assert sorted(each.url for each in view.services["web"].endpoints) == ["http://localhost:8000", "http://localhost:8001"]


def test_a_service_that_nobody_introduced_gets_a_row() -> None:
    view = replay("d", story(ServiceChanged(service="ghost", state=ServiceState.DEPLOYMENT_FAILED, detail="gone")))
    assert view.services["ghost"].state is ServiceState.DEPLOYMENT_FAILED


def test_logs_are_bounded_and_say_what_is_left_out() -> None:
    lines = [LogLine(service="web", line=str(n)) for n in range(LOG_LINES + 5)]
    log = replay("d", story(REQUESTED, *lines)).services["web"].log
    assert (len(log.lines), log.dropped, log.lines[-1]) == (LOG_LINES, 5, str(LOG_LINES + 4))


def test_a_build_keeps_its_step_and_services_between_lines() -> None:
    begins = BuildLine(urn="i", line="COPY . .", services=("web",), step=2, steps=5)
    build = replay("d", story(REQUESTED, begins, BuildLine(urn="i", line="copied"))).builds["i"]
    assert (build.services, build.step, build.steps, build.log.lines) == (("web",), 2, 5, ("COPY . .", "copied"))


def test_a_failure_keeps_message_hint_and_diagnostics() -> None:
    diagnostic = Diagnostic(severity=Severity.ERROR, code="crash", message="web crashed", service="web")
    finished = Finished(outcome=Outcome.FAILED, message="web crashed", hint="look at its log")
    view = replay("d", story(REQUESTED, Diagnosed(diagnostic=diagnostic), finished))
    assert view.done
    assert (view.outcome, view.message, view.hint, view.diagnostics) == (
        Outcome.FAILED,
        "web crashed",
        "look at its log",
        (diagnostic,),
    )


def test_events_of_another_deployment_change_nothing() -> None:
    view = replay("d", story(REQUESTED))
    assert reduce(view, Event(deployment="e", sequence=9, time=0.0, payload=Finished(outcome=Outcome.FAILED))) is view


@settings(max_examples=50)
@given(st.lists(st.integers(min_value=0, max_value=7), max_size=30))
def test_seeing_events_again_changes_nothing(again: list[int]) -> None:
    events = story(
        REQUESTED,
        Planned(plan=PLAN),
        LogLine(service="web", line="a"),
        BuildLine(urn="i", line="b"),
        Diagnosed(diagnostic=Diagnostic(severity=Severity.INFO, code="c", message="m")),
        EndpointFound(service="web", url="u", port=1),
        StepStarted(urn="x", action=Action.CREATE),
        Finished(outcome=Outcome.SUCCEEDED),
    )
    whole = replay("d", events)
    view = whole
    for index in again:
        view = reduce(view, events[index])
    assert view == whole
    # From any point on, the same end: what a looker who reconnects sees.
    for cut in range(len(events)):
        later = reduce_all(replay("d", events[:cut]), events[max(0, cut - 2) :])
        assert later == whole


def reduce_all(view: DeploymentView, events: list[Event]) -> DeploymentView:
    for event in events:
        view = reduce(view, event)
    return view


def test_views_are_values() -> None:
    view = replay("d", story(REQUESTED))
    after = reduce(view, story(REQUESTED, LogLine(service="web", line="a"))[1])
    assert view.services["web"].log.lines == ()
    assert after.services["web"].log.lines == ("a",)
    assert msgspec.json.decode(msgspec.json.encode(after), type=DeploymentView) == after

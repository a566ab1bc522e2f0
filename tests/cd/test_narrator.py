"""What the narrator makes of the engine's steps: the states of services, in the order in which people are told."""

from __future__ import annotations

import pytest

from defang_nb.cd.narrator import Narrator
from defang_nb.model.events import (
    BuildLine,
    EndpointFound,
    Payload,
    ServiceChanged,
    ServiceState,
    Stage,
    StageChanged,
    StepFinished,
    StepStarted,
    StepStatus,
)
from defang_nb.model.image import ImageSource
from defang_nb.model.plan import Action, Plan, Step
from defang_nb.model.resource import Recorded, Resource, hash_inputs
from defang_nb.provision.state import Snapshot, State

WEB, IMAGE = "p/t/Service/web", "p/t/Image/web"
DESIRED = [
    Resource(urn=IMAGE, type="t/Image", inputs={"reference": "p/web:1"}, service="web"),
    Resource(urn=WEB, type="t/Service", inputs={}, service="web", main=True),
]
IMAGES = [ImageSource(reference="p/web:1", digest="1", context_key="1", services=("web",))]


class Scene:
    """A narrator before an audience."""

    def __init__(self, *steps: Step, **outputs: object) -> None:
        record = Recorded(
            urn=WEB,
            type="t/Service",
            id="web",
            inputs={},
            input_hash=hash_inputs({}),
            outputs=outputs,
            service="web",
            main=True,
        )
        state = State(Snapshot(recorded={WEB: record}), None)
        self.told: list[Payload] = []
        self.narrator = Narrator(self.told.append, Plan(steps=steps), DESIRED, state, IMAGES)

    @property
    def states(self) -> list[tuple[ServiceState, str]]:
        return [(each.state, each.detail) for each in self.told if isinstance(each, ServiceChanged)]


def step(urn: str, action: Action, cause: str = "") -> Step:
    return Step(urn=urn, type="t", action=action, cause=cause)


def test_a_build_then_a_start() -> None:
    it = Scene(step(IMAGE, Action.CREATE), step(WEB, Action.CREATE, "new in the project"))
    it.narrator.introduce()
    for payload in (
        StepStarted(urn=IMAGE, action=Action.CREATE),
        BuildLine(urn=IMAGE, line="[1/2] FROM python", services=("web",), step=1, steps=2),
        StepFinished(urn=IMAGE, action=Action.CREATE, status=StepStatus.DONE),
        StepStarted(urn=WEB, action=Action.CREATE),
        StepFinished(urn=WEB, action=Action.CREATE, status=StepStatus.DONE),
    ):
        it.narrator.hear(payload)
        assert payload in it.told
    assert it.states == [
        (ServiceState.UPDATE_QUEUED, "new in the project"),
        (ServiceState.BUILD_QUEUED, ""),
        (ServiceState.BUILD_RUNNING, ""),
        (ServiceState.BUILD_RUNNING, "step 1/2"),
        (ServiceState.UPDATE_QUEUED, "built"),
        (ServiceState.DEPLOYMENT_PENDING, "starting"),
        (ServiceState.DEPLOYMENT_COMPLETED, "healthy"),
    ]
    assert [each for each in it.told if isinstance(each, StageChanged)] == [StageChanged(stage=Stage.SETTLING)]


def test_what_is_kept_is_told_with_its_address() -> None:
    it = Scene(step(WEB, Action.KEEP), endpoints=[{"url": "http://127.0.0.1:8000", "port": 8000, "public": True}])
    it.narrator.introduce()
    assert it.told == [
        ServiceChanged(service="web", state=ServiceState.DEPLOYMENT_COMPLETED, detail="unchanged"),
        EndpointFound(service="web", url="http://127.0.0.1:8000", port=8000, public=True),
    ]


def test_a_type_says_how_its_service_ended() -> None:
    it = Scene(step(WEB, Action.CREATE), detail="exited 0 in 4 s")
    it.narrator.hear(StepFinished(urn=WEB, action=Action.CREATE, status=StepStatus.DONE))
    assert it.states == [(ServiceState.DEPLOYMENT_COMPLETED, "exited 0 in 4 s")]


def test_a_failed_build_is_not_overwritten_by_the_step_that_it_skips() -> None:
    it = Scene(step(IMAGE, Action.CREATE), step(WEB, Action.CREATE))
    it.narrator.hear(StepFinished(urn=IMAGE, action=Action.CREATE, status=StepStatus.FAILED, message="no such package"))
    it.narrator.hear(StepFinished(urn=WEB, action=Action.CREATE, status=StepStatus.SKIPPED, message="image failed"))
    assert it.states == [(ServiceState.BUILD_FAILED, "no such package")]


@pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.ROLLED_BACK])
def test_a_failed_start_says_why(status: StepStatus) -> None:
    it = Scene(step(WEB, Action.UPDATE))
    it.narrator.hear(StepFinished(urn=WEB, action=Action.UPDATE, status=status, message="exited with code 3"))
    assert it.states == [(ServiceState.DEPLOYMENT_FAILED, "exited with code 3")]


def test_a_deleted_service_is_gone_but_not_one_that_is_replaced() -> None:
    replaced = Scene(step(WEB, Action.REPLACE))
    replaced.narrator.hear(StepFinished(urn=WEB, action=Action.DELETE, status=StepStatus.DONE))
    assert replaced.states == []
    gone = Scene(step(WEB, Action.DELETE))
    gone.narrator = Narrator(gone.told.append, Plan(steps=(step(WEB, Action.DELETE),)), [], gone.narrator._state)
    gone.narrator.hear(StepFinished(urn=WEB, action=Action.DELETE, status=StepStatus.DONE))
    assert gone.states == [(ServiceState.DEPLOYMENT_SCALED_IN, "removed")]

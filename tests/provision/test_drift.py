"""What somebody changed outside: seen property by property, changed back by a plan, or accepted."""

from __future__ import annotations

from defang_nb.model.plan import Action
from defang_nb.model.resource import Recorded, hash_inputs
from defang_nb.provision.drift import as_live, drift
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import LIVE_INPUTS
from tests.provision.fakecloud import Cloud, a

INPUTS = {"image": "a", "replicas": 2}
URN = "app/service/web"


def record() -> Recorded:
    return Recorded(
        urn=URN,
        type="service",
        id="1",
        inputs=INPUTS,
        input_hash=hash_inputs(INPUTS),
        outputs={"url": "u"},
        ready=True,
        title="web",
    )


def test_all_as_recorded_is_no_drift() -> None:
    assert drift({URN: record()}, {URN: {"url": "u"}}) == ()
    assert drift({URN: record()}, {URN: {LIVE_INPUTS: {"replicas": 2}}}) == ()
    assert drift({URN: record()}, {}) == ()


def test_what_is_gone_and_what_differs_is_told_property_by_property() -> None:
    (gone,) = drift({URN: record()}, {URN: None})
    assert (gone.action, gone.cause, gone.title) == (Action.CREATE, "is gone", "web")
    (changed,) = drift({URN: record()}, {URN: {"url": "v", LIVE_INPUTS: {"replicas": 5}}})
    assert changed.action is Action.UPDATE
    assert changed.cause == "replicas and url changed outside"
    assert [(each.path, each.before, each.after) for each in changed.changes] == [("replicas", "2", "5"), ("url", "u", "v")]


def test_what_is_live_becomes_the_record_without_the_mark_of_inputs() -> None:
    live = as_live(record(), {"url": "v", LIVE_INPUTS: {"replicas": 5}})
    assert live.inputs == {"image": "a", "replicas": 5}
    assert live.input_hash == hash_inputs({"image": "a", "replicas": 5})
    assert live.outputs == {"url": "v"}


def test_a_plan_changes_it_back_and_says_who_did_it() -> None:
    wanted = a("service", "web", image="a", replicas=2)
    live = as_live(record(), {LIVE_INPUTS: {"replicas": 5}})
    found = plan([wanted], {wanted.urn: live}, Cloud().types(), {}, drifted={wanted.urn: ("replicas",)})
    (step,) = found.mutations
    assert (step.action, step.cause) == (Action.UPDATE, "replicas changed outside")
    assert [(each.before, each.after) for each in step.changes] == [("5", "2")]

"""How much longer: along the longest way, from what the same steps took before, and never from nothing."""

from __future__ import annotations

from defang_nb.model.pace import Pace, Usual, pace_of, remaining
from defang_nb.model.plan import Action, Plan, Step
from defang_nb.model.view import DeploymentView
from tests.render import story


def test_what_is_left_is_the_longest_way_through_the_rest() -> None:
    pace = pace_of([story.finished()])
    whole = remaining(story.view(story.OPENING, until=0.5), pace, story.START + 0.5)
    later = remaining(story.running(), pace, story.START + 24)
    assert whole is not None
    assert later is not None
    assert 50 < whole < 60
    assert 15 < later < whole - 20


def test_a_step_that_takes_longer_than_ever_leaves_the_steps_after_it() -> None:
    late = remaining(story.running(), pace_of([story.finished()]), story.START + 60)
    assert late is not None
    assert 5 < late < 10


def test_a_step_that_takes_very_much_longer_than_ever_can_not_be_guessed() -> None:
    assert remaining(story.running(), pace_of([story.finished()]), story.START + 1000) is None


def test_nothing_is_said_without_a_past_or_at_the_end() -> None:
    assert remaining(story.running(), Pace(), story.START + 24) is None
    assert remaining(story.running(), Pace(types={("image", Action.CREATE): 9.0}), story.START + 24) is None
    assert remaining(story.finished(), pace_of([story.finished()]), story.START + 24) is None
    assert remaining(story.view(story.OPENING, until=0.1), pace_of([story.finished()]), story.START) is None


def test_a_first_deployment_takes_what_is_usual() -> None:
    steps = (
        Step(urn="balancer", type="slow", action=Action.CREATE),
        Step(urn="rule", type="other", action=Action.CREATE, after=("balancer",)),
        Step(urn="web", type="service", action=Action.CREATE, after=("rule",)),
        Step(urn="old", type="slow", action=Action.DELETE, after=("web",)),
    )
    usual = {"slow": Usual(ready=150, usable=2, gone=5), "service": Usual(ready=45)}
    view = DeploymentView(id="d", plan=Plan(steps=steps))
    assert remaining(view, Pace(), 0.0) is None
    assert remaining(view, Pace(), 0.0, usual) == 150, "what waits for the load balancer waits until it can be used only"
    assert remaining(view, Pace(steps={("balancer", Action.CREATE): 20.0}), 0.0, usual) == 2 + 1 + 45 + 5


def test_a_step_that_is_new_is_taken_to_be_like_others_of_its_type() -> None:
    view = story.running()
    whole = pace_of([story.finished()])
    others = Pace(types=whole.types)
    assert (
        whole.types["image", Action.CREATE]
        == (whole.steps["shop/image/api", Action.CREATE] + whole.steps["shop/image/worker", Action.CREATE]) / 2
    )
    left = remaining(view, others, story.START + 24)
    assert left is not None
    assert 0 < left < 60

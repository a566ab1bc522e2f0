"""How long a deployment will go on, guessed from how long the same steps took before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

import msgspec

from defang_nb.model.events import StepStatus
from defang_nb.model.plan import Action, Step
from defang_nb.model.view import DeploymentView


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Median seconds: `steps` by (urn, action), and `types` by (type, action), for steps that are new."""

    steps: Mapping[tuple[str, Action], float] = {}
    types: Mapping[tuple[str, Action], float] = {}


def pace_of(views: Iterable[DeploymentView]) -> Pace:
    """From finished deployments; of one project, or (for one that is deployed for the first time) of others."""
    steps: dict[tuple[str, Action], list[float]] = {}
    types: dict[tuple[str, Action], list[float]] = {}
    for view in views:
        known = {each.urn: each.type for each in view.plan.steps} if view.plan else {}
        for step in view.steps.values():
            if step.status is StepStatus.DONE and step.finished is not None:
                seconds = step.finished - step.started
                steps.setdefault((step.urn, step.action), []).append(seconds)
                types.setdefault((known.get(step.urn, ""), step.action), []).append(seconds)
    return Pace(steps=_medians(steps), types=_medians(types))


def _medians(taken: Mapping[tuple[str, Action], list[float]]) -> Mapping[tuple[str, Action], float]:
    return {key: median(seconds) for key, seconds in taken.items()}


def remaining(view: DeploymentView, pace: Pace, now: float) -> float | None:
    """Seconds along the longest way through what is left. None without a plan, or with a step of which nothing is known."""
    if view.plan is None or view.done or not view.plan.mutations:
        return None
    ends: dict[str, float] = {}
    for step in _in_order(view.plan.mutations):
        seconds = _left(step, view, pace, now)
        if seconds is None:
            return None
        ends[step.urn] = seconds + max((ends.get(each, 0.0) for each in step.after), default=0.0)
    return max(ends.values())


def _left(step: Step, view: DeploymentView, pace: Pace, now: float) -> float | None:
    begun = view.steps.get(step.urn)
    if begun is not None and begun.finished is not None:
        return 0.0
    usual = _usual(step, pace)
    if usual is None or begun is None:
        return usual
    return max(0.0, usual - (now - begun.started))


def _usual(step: Step, pace: Pace) -> float | None:
    """What this step took; else whatever was done to the same, or the same done to others like it."""
    if (exact := pace.steps.get((step.urn, step.action))) is not None:
        return exact
    same = [seconds for (urn, _), seconds in pace.steps.items() if urn == step.urn]
    return median(same) if same else pace.types.get((step.type, step.action))


def _in_order(steps: Iterable[Step]) -> list[Step]:
    """What others come after first; a plan need not be listed so."""
    known = {step.urn: step for step in steps}
    placed: dict[str, Step] = {}
    waiting = [(step, False) for step in reversed(known.values())]
    while waiting:
        step, ready = waiting.pop()
        if step.urn in placed:
            continue
        if ready:
            placed[step.urn] = step
            continue
        waiting.append((step, True))
        waiting += [(known[each], False) for each in step.after if each in known and each not in placed]
    return list(placed.values())

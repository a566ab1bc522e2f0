"""How long a deployment will go on, guessed from how long the same steps took before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from defang_nb.model.events import StepStatus
from defang_nb.model.plan import Action, Step
from defang_nb.model.view import DeploymentView

Pace = Mapping[tuple[str, Action], float]
"""(urn, action) → the median seconds that it took."""


def pace_of(views: Iterable[DeploymentView]) -> Pace:
    """From finished deployments of one project."""
    taken: dict[tuple[str, Action], list[float]] = {}
    for view in views:
        for step in view.steps.values():
            if step.status is StepStatus.DONE and step.finished is not None:
                taken.setdefault((step.urn, step.action), []).append(step.finished - step.started)
    return {key: median(seconds) for key, seconds in taken.items()}


def remaining(view: DeploymentView, pace: Pace, now: float) -> float | None:
    """Seconds along the longest way through what is left. None without a plan, or with a step that is not known."""
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
    usual = pace.get((step.urn, step.action))
    if usual is None:
        same = [seconds for (urn, _), seconds in pace.items() if urn == step.urn]
        usual = median(same) if same else None
    if usual is None or begun is None:
        return usual
    return max(0.0, usual - (now - begun.started))


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

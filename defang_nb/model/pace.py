"""How long a deployment will go on, guessed from how long the same steps took before; at first, from what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

import msgspec

from defang_nb.model.events import StepStatus
from defang_nb.model.plan import Action, Step
from defang_nb.model.view import DeploymentView

_LATE = 10.0
"""Of a step that has taken twice as long as ever, and so many seconds more, nothing is known any more."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Median seconds: `steps` by (urn, action), and `types` by (type, action), for steps that are new."""

    steps: Mapping[tuple[str, Action], float] = {}
    types: Mapping[tuple[str, Action], float] = {}


_QUICK = 1.0
"""Seconds that anything takes of which nothing else is usual."""


class Usual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many seconds one thing of a type usually takes: until it is ready, until others can use it, and until it is gone."""

    ready: float
    usable: float | None = None
    gone: float = _QUICK


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


def remaining(view: DeploymentView, pace: Pace, now: float, usual: Mapping[str, Usual] | None = None) -> float | None:
    """Seconds along the longest way through what is left. None without a plan, or with a step of which nothing is known.

    `usual`: by type, for steps that were never made before; where there are such, each step is known.
    """
    if view.plan is None or view.done or not view.plan.mutations:
        return None
    usable: dict[str, float] = {}
    longest = 0.0
    for step in _in_order(view.plan.mutations):
        seconds = _taken(step, pace, usual or {})
        if seconds is None or _late(step, view, now, seconds):
            return None
        begun = max((usable.get(each, 0.0) for each in step.after), default=0.0)
        usable[step.urn] = begun + _left(step, view, now, _until_usable(step, seconds, usual or {}))
        longest = max(longest, begun + _left(step, view, now, seconds))
    return longest


def _late(step: Step, view: DeploymentView, now: float, seconds: float) -> bool:
    begun = view.steps.get(step.urn)
    return begun is not None and begun.finished is None and now - begun.started > 2 * seconds + _LATE


def _taken(step: Step, pace: Pace, usual: Mapping[str, Usual]) -> float | None:
    """What this step took; else whatever was done to the same, or the same done to others like it; else what is usual."""
    if (exact := pace.steps.get((step.urn, step.action))) is not None:
        return exact
    same = [seconds for (urn, _), seconds in pace.steps.items() if urn == step.urn]
    before = median(same) if same else pace.types.get((step.type, step.action))
    if before is not None or not usual:
        return before
    its = usual.get(step.type, Usual(_QUICK))
    return its.gone if step.action is Action.DELETE else its.ready


def _until_usable(step: Step, seconds: float, usual: Mapping[str, Usual]) -> float:
    """What others wait for: not always for its end."""
    its = usual.get(step.type)
    if its is None or its.usable is None or step.action is Action.DELETE:
        return seconds
    return min(seconds, its.usable)


def _left(step: Step, view: DeploymentView, now: float, seconds: float) -> float:
    begun = view.steps.get(step.urn)
    if begun is None:
        return seconds
    return 0.0 if begun.finished is not None else max(0.0, seconds - (now - begun.started))


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

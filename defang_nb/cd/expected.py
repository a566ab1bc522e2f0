"""A plan that was agreed to, beside the one that is true now."""

from __future__ import annotations

from defang_nb.errors import UsageError
from defang_nb.model.plan import Plan, Step

_AGAIN = "look at a new one: `preview --out FILE`"


def check_expected(plan: Plan, expected: Plan) -> None:
    """Raises `UsageError` when `plan` is not what was agreed to, with what differs first. Nothing has been touched yet."""
    agreed = {step.urn: step for step in expected.mutations}
    for step in plan.mutations:
        if (before := agreed.pop(step.urn, None)) != step:
            raise UsageError(f"this is not the plan that was saved: {_differs(before, step)}", hint=_AGAIN)
    if agreed:
        step = next(iter(agreed.values()))
        raise UsageError(f"this is not the plan that was saved: {_called(step)} needs no {step.action} any more", hint=_AGAIN)
    if plan.state_version != expected.state_version:
        raise UsageError("what is deployed has changed since the plan was saved", hint=_AGAIN)


def _differs(before: Step | None, now: Step) -> str:
    said = f"{_called(now)} would be {_DONE[now.action.value]} ({now.cause})"
    if before is None:
        return f"{said}, which was not in it"
    if before.action is not now.action:
        return f"{said}, and not {_DONE[before.action.value]}"
    return f"{said}, and not for what was in it ({before.cause})" if before.cause != now.cause else f"{said}, with other values"


_DONE = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "keep": "kept",
    "adopt": "adopted",
}


def _called(step: Step) -> str:
    return step.title or step.urn

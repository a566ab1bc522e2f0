"""The words and signs of a view: every state has an icon, a word and a tone, so that colour never speaks alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from defang_nb.model.events import Kind, Outcome, ServiceState, Stage, StepStatus
from defang_nb.model.plan import Action, Plan
from defang_nb.model.source import Severity
from defang_nb.model.view import DeploymentView, ServiceView, StepView


class Tone(StrEnum):
    """What a colour means; each rendering has its own colours for these."""

    OK = "ok"
    RUN = "run"
    WAIT = "wait"
    BAD = "bad"
    WARN = "warn"
    PLAIN = "plain"


class Look(NamedTuple):
    icon: str
    word: str
    tone: Tone

    @property
    def text(self) -> str:
        return f"{self.icon} {self.word}"


WAITING = Look("○", "waiting", Tone.WAIT)

_STATES: Mapping[ServiceState, Look] = {
    ServiceState.NOT_SPECIFIED: WAITING,
    ServiceState.BUILD_QUEUED: Look("○", "build queued", Tone.WAIT),
    ServiceState.BUILD_PROVISIONING: Look("◐", "preparing the build", Tone.RUN),
    ServiceState.BUILD_PENDING: Look("◐", "preparing the build", Tone.RUN),
    ServiceState.BUILD_ACTIVATING: Look("◐", "build starting", Tone.RUN),
    ServiceState.BUILD_RUNNING: Look("◐", "building", Tone.RUN),
    ServiceState.BUILD_STOPPING: Look("◐", "build ending", Tone.RUN),
    ServiceState.UPDATE_QUEUED: Look("○", "queued", Tone.WAIT),
    ServiceState.DEPLOYMENT_PENDING: Look("◐", "starting", Tone.RUN),
    ServiceState.DEPLOYMENT_COMPLETED: Look("✔", "live", Tone.OK),
    ServiceState.DEPLOYMENT_FAILED: Look("✘", "failed", Tone.BAD),
    ServiceState.BUILD_FAILED: Look("✘", "build failed", Tone.BAD),
    ServiceState.DEPLOYMENT_SCALED_IN: Look("□", "removed", Tone.PLAIN),
}

_DOWN: Mapping[ServiceState, Look] = {
    ServiceState.DEPLOYMENT_PENDING: Look("◐", "stopping", Tone.RUN),
    ServiceState.DEPLOYMENT_COMPLETED: Look("✔", "removed", Tone.OK),
    ServiceState.DEPLOYMENT_SCALED_IN: Look("✔", "removed", Tone.OK),
}

ACTIONS: Mapping[Action, Look] = {
    Action.CREATE: Look("+", "add", Tone.OK),
    Action.UPDATE: Look("~", "change", Tone.WARN),
    Action.REPLACE: Look("±", "replace", Tone.WARN),
    Action.DELETE: Look("−", "delete", Tone.BAD),
    Action.KEEP: Look("=", "unchanged", Tone.PLAIN),
    Action.ADOPT: Look("»", "adopt", Tone.OK),
}

STEPS: Mapping[StepStatus, Look] = {
    StepStatus.RUNNING: Look("◐", "running", Tone.RUN),
    StepStatus.DONE: Look("✔", "done", Tone.OK),
    StepStatus.FAILED: Look("✘", "failed", Tone.BAD),
    StepStatus.SKIPPED: Look("–", "skipped", Tone.WAIT),
    StepStatus.ROLLED_BACK: Look("↺", "rolled back", Tone.WARN),
}

SEVERITIES: Mapping[Severity, Look] = {
    Severity.ERROR: Look("✘", "error", Tone.BAD),
    Severity.WARNING: Look("▲", "warning", Tone.WARN),
    Severity.INFO: Look("·", "note", Tone.PLAIN),
}

_STAGES: Mapping[Stage, str] = {
    Stage.QUEUED: "queued",
    Stage.PLANNING: "planning",
    Stage.PROVISIONING: "provisioning",
    Stage.SETTLING: "waiting until healthy",
}

_ENDS: Mapping[Kind, str] = {Kind.UP: "live", Kind.DOWN: "down", Kind.PREVIEW: "planned", Kind.REFRESH: "refreshed"}

_KINDS: Mapping[Kind, str] = {
    Kind.UP: "",
    Kind.DOWN: "down",
    Kind.PREVIEW: "preview · nothing is changed",
    Kind.REFRESH: "refresh",
}


def kind_note(view: DeploymentView) -> str:
    """What sort of deployment it is, where that is not the usual one, and its state does not say so already."""
    said = view.outcome is Outcome.SUCCEEDED and view.kind in (Kind.DOWN, Kind.REFRESH)
    return "" if said else _KINDS[view.kind]


_DRIFT: Mapping[Action, Look] = {
    Action.CREATE: Look("✘", "gone", Tone.BAD),
    Action.UPDATE: Look("▲", "changed outside", Tone.WARN),
}


def action_look(action: Action, kind: Kind) -> Look:
    """What a step of a plan does; of a refresh, which does nothing, what was found."""
    return _DRIFT.get(action, ACTIONS[action]) if kind is Kind.REFRESH else ACTIONS[action]


def stage_look(view: DeploymentView) -> Look:
    """The whole deployment's state in one word."""
    match view.outcome:
        case Outcome.SUCCEEDED:
            return Look("✔", _ENDS[view.kind], Tone.OK)
        case Outcome.FAILED:
            return Look("✘", "failed", Tone.BAD)
        case Outcome.CANCELLED:
            return Look("■", "cancelled", Tone.WARN)
    if view.stage is Stage.QUEUED:
        return Look("○", "queued", Tone.WAIT) if view.sequence else Look("◐", "preparing", Tone.RUN)
    removing = view.kind is Kind.DOWN and view.stage in (Stage.PROVISIONING, Stage.SETTLING)
    return Look("◐", "removing" if removing else _STAGES.get(view.stage, view.stage.value), Tone.RUN)


def service_look(service: ServiceView, view: DeploymentView) -> Look:
    """A service's state in this deployment; `word` includes the detail, said once."""
    if only_plans(view):
        return _planned_look(service, view)
    table = {**_STATES, **_DOWN} if view.kind is Kind.DOWN else _STATES
    look = table[service.state]
    if ended := _ended_otherwise(service, view):
        return ended
    if view.done and look.tone in (Tone.WAIT, Tone.RUN) and view.outcome is not Outcome.SUCCEEDED:
        never = service.state is ServiceState.NOT_SPECIFIED or look.tone is Tone.WAIT
        return Look("–", "not reached", Tone.WAIT) if never else Look("■", f"stopped while {look.word}", Tone.WARN)
    if view.done and service.state is ServiceState.NOT_SPECIFIED:
        return Look("=", "unchanged", Tone.PLAIN)
    return look._replace(word=_phrase(look.word, service.detail))


def _ended_otherwise(service: ServiceView, view: DeploymentView) -> Look | None:
    """Of a step that was not begun, given up or taken back: its state alone would say that the service failed, or nothing."""
    step = next((each for each in reversed([*view.steps.values()]) if each.service == service.name), None)
    if step is None or step.message != service.detail:
        return None
    match step.status:
        case StepStatus.SKIPPED if was_begun(step):
            return Look("■", step.message or "given up while it ran", Tone.WARN)
        case StepStatus.SKIPPED:
            return Look("–", " · ".join(filter(None, ("not reached", step.message))), Tone.WAIT)
        case StepStatus.ROLLED_BACK:
            return Look("↺", " · ".join(filter(None, ("failed, rolled back", step.message))), Tone.BAD)
    return None


def was_begun(step: StepView) -> bool:
    """Whether it ever ran: one that was skipped ends as it begins."""
    return step.finished is None or step.finished > step.started


def _phrase(word: str, detail: str) -> str:
    if not detail:
        return word
    said = detail.casefold().startswith(word.casefold())
    ended = word == "live" and detail.startswith(("exited", "done", "completed"))
    return detail if said or ended else f"{word} · {detail}"


def only_plans(view: DeploymentView) -> bool:
    """Whether its plan is all that there is to see: a preview's, or a refresh's (what is not as recorded)."""
    return view.kind in (Kind.PREVIEW, Kind.REFRESH)


def _planned_look(service: ServiceView, view: DeploymentView) -> Look:
    if view.plan is None:
        return Look("○", "not compared yet", Tone.WAIT)
    found = [step.action for step in view.plan.steps if step.service == service.name and step.action.mutates]
    if view.kind is Kind.REFRESH:
        if Action.CREATE in found:
            return Look("✘", "something of it is gone", Tone.BAD)
        return Look("▲", "changed outside", Tone.WARN) if found else Look("✔", "as recorded", Tone.OK)
    for action in (Action.REPLACE, Action.CREATE, Action.DELETE, Action.UPDATE, Action.ADOPT):
        if action in found:
            look = ACTIONS[action]
            return look._replace(word=f"would be {_PAST[action]}")
    return ACTIONS[Action.KEEP]


_PAST = {
    Action.CREATE: "added",
    Action.UPDATE: "changed",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.ADOPT: "adopted",
}


def step_title(step: StepView) -> str:
    """A bar's name; without a title, the urn's last two parts."""
    return step.title or " ".join(step.urn.split("/")[-2:])


def step_seconds(step: StepView, now: float) -> float:
    return max(0.0, (now if step.finished is None else step.finished) - step.started)


def duration(seconds: float) -> str:
    """`4.2 s`, `41 s`, `1:42`, `1:02:03`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def moment(seconds: float) -> str:
    """`2026-01-01 00:00 UTC`, of seconds since the epoch."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def elapsed(view: DeploymentView, now: float) -> str:
    """How long the deployment took, or has taken so far (a clock, in whole seconds); "" before it began."""
    if not view.started:
        return ""
    if view.finished is None and now - view.started < 60:
        return f"{max(0, math.floor(now - view.started))} s"
    return duration((now if view.finished is None else view.finished) - view.started)


def time_left(seconds: float | None) -> str:
    """`about 40 s left`, in steps that don't pretend to be exact; "" where it is not known."""
    if seconds is None:
        return ""
    if seconds < 5:
        return "a few seconds left"
    step = 5 if seconds < 60 else 15 if seconds < 300 else 60
    return f"about {duration(-(-seconds // step) * step)} left"


def plan_counts(plan: Plan, kind: Kind = Kind.UP) -> str:
    """`3 to add, 2 to change, 0 to delete, 14 unchanged`; replacements and adoptions are named only when there are any.

    Of a refresh: `1 gone, 2 changed outside`.
    """
    if kind is Kind.REFRESH:
        found = [f"{plan.count(action)} {look.word}" for action, look in _DRIFT.items() if plan.count(action)]
        return ", ".join(found) or "nothing"
    replaced, adopted = plan.count(Action.REPLACE), plan.count(Action.ADOPT)
    parts = [f"{plan.count(Action.CREATE)} to add", f"{plan.count(Action.UPDATE)} to change"]
    parts += [f"{replaced} to replace"] if replaced else []
    parts += [f"{adopted} to adopt"] if adopted else []
    parts += [f"{plan.count(Action.DELETE)} to delete", f"{plan.count(Action.KEEP)} unchanged"]
    return ", ".join(parts)


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
"""Sequences of terminals, lone control characters (C0 and C1), and what turns the direction of a line's text around."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` without terminal control sequences; of a line that was redrawn with carriage returns, what was left standing."""
    if "\r" in text:
        text = text.rstrip("\r").rpartition("\r")[2]
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))

"""The timeline: a bar for each step that began, on a scale of time, with the chain outlined that everything waited for."""

from __future__ import annotations

from defang_nb.model.events import StepStatus
from defang_nb.model.plan import Step
from defang_nb.model.view import DeploymentView, StepView
from defang_nb.render.markup import esc, tag
from defang_nb.render.order import critical, not_begun, timeline, waits_for
from defang_nb.render.words import STEPS, Look, Tone, clean, duration, step_seconds, step_title, was_begun

PENDING = 12
"""So many steps that have not begun are named; of more, the number."""

_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Seconds between two marks of the scale; never more than `_MARKS` of them."""
_MARKS = 6


def timeline_section(view: DeploymentView, now: float) -> str:
    steps = timeline(view)
    if not steps:
        return ""
    waiting = [] if view.done else not_begun(view)
    begin = steps[0].started
    until = now if view.finished is None else view.finished
    span = max([until - begin, *(step_seconds(step, until) + step.started - begin for step in steps)], default=0.0) or 1.0
    chain = critical(view)
    rows = [
        _bar(step, step_look(step, view), begin, span, until, step.urn in chain)
        if was_begun(step) or step.status is not StepStatus.SKIPPED
        else _skipped(step, step_look(step, view))
        for step in steps
    ]
    rows += [_pending(step, view) for step in waiting[:PENDING]]
    if len(waiting) > PENDING:
        rows.append(f'<li><span class="n wait">and {len(waiting) - PENDING} more</span></li>')
    tick = next((each for each in _TICKS if span / each <= _MARKS), span)
    return (
        f"<h4>Timeline</h4>{_scale(tick, span)}"
        f'<ol class="tl" tabindex="0" aria-label="Timeline" style="--tick:{100 * tick / span:.2f}%">{"".join(rows)}</ol>'
        f"{_legend(steps, chain, until)}"
    )


def _legend(steps: list[StepView], chain: frozenset[str], until: float) -> str:
    """What the marks mean that are there; below, where nothing moves when one comes."""
    said = ["outlined: what everything waits for"] if chain else []
    said += ["striped: until ready"] if any(waited(step, until) for step in steps) else []
    return f'<div class="mute key">{" · ".join(said)}</div>' if said else ""


def _scale(tick: float, span: float) -> str:
    """Its marks in words; a mark that would stand at the very end is left out."""
    marks = [each * tick for each in range(_MARKS + 1) if each * tick < 0.94 * span]
    shown = " ".join(f'<i style="left:{100 * at / span:.2f}%">{_mark(at)}</i>' for at in marks)
    inner = f'<span class="n"></span><span class="t">{shown}</span><span class="d"></span>'
    return f'<div class="tl ax" aria-hidden="true">{inner}</div>'


def _mark(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else f"{seconds:g} s" if seconds else "0"


def step_look(step: StepView, view: DeploymentView) -> Look:
    """A step that still ran when the deployment ended is told as such."""
    if view.done and step.finished is None:
        return Look("■", "stopped", Tone.WARN)
    if step.status is StepStatus.SKIPPED and was_begun(step):
        return Look("■", "given up", Tone.WARN)
    return STEPS[step.status]


def waited(step: StepView, until: float) -> float:
    """Seconds of it in which what it made was there and not ready yet; what is too short to be seen is none."""
    if step.made is None:
        return 0.0
    seconds = step_seconds(step, until)
    since = step.started + seconds - step.made
    return since if since >= max(0.2, 0.02 * seconds) else 0.0


def _bar(step: StepView, look: Look, begin: float, span: float, until: float, outlined: bool) -> str:
    seconds, waiting = step_seconds(step, until), waited(step, until)
    left = 100 * (step.started - begin) / span
    width = min(100 - left, 100 * seconds / span)
    title = clean(step_title(step))
    marks = [look.word, *([f"{duration(waiting)} of it until ready"] if waiting else [])]
    marks += ["everything waits for it"] if outlined else []
    took = f", {duration(seconds)}" if step.finished is not None else ""
    said = f"{title}: {look.word}{took}" + (f": {clean(step.message)}" if step.message else "")
    css = f"{look.tone} crit" if outlined else look.tone.value
    stripes = f'<b style="width:{100 * waiting / seconds:.1f}%"></b>' if waiting else ""
    return (
        f'<li title="{esc(said)}"><span class="n"><span class="{look.tone}" aria-hidden="true">{look.icon}</span> '
        f'{esc(title)}</span> <span class="t" role="img" aria-label="{esc(", ".join(marks))}">'
        f'<i class="{css}" style="left:{left:.2f}%;width:{width:.2f}%">{stripes}</i></span> '
        f'<span class="d">{duration(seconds)}</span></li>'
    )


def _skipped(step: StepView, look: Look) -> str:
    """One that was never begun has no bar, and a reason."""
    why = ": ".join(filter(None, (look.word, clean(step.message))))
    return tag(
        "li",
        f'<span class="n wait"><span aria-hidden="true">{look.icon}</span> {esc(clean(step_title(step)))}</span> '
        f'<span class="w">{esc(why)}</span>',
    )


def _pending(step: Step, view: DeploymentView) -> str:
    titles = {each.urn: each.title or each.urn.rpartition("/")[2] for each in view.plan.steps} if view.plan else {}
    waited = [titles.get(urn, urn) for urn in waits_for(step, view)]
    why = f"waiting for {', '.join(waited)}" if waited else "waiting"
    title = step.title or step.urn.rpartition("/")[2]
    name = f'<span class="n wait"><span aria-hidden="true">○</span> {esc(title)}</span>'
    return f'<li title="{esc(why)}">{name} <span class="w">{esc(why)}</span></li>'

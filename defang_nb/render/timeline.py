"""The timeline: a bar for each step, the chain that everything else waits for outlined, and what has not begun yet."""

from __future__ import annotations

from defang_nb.model.events import StepStatus
from defang_nb.model.plan import Step
from defang_nb.model.view import DeploymentView, StepView
from defang_nb.render.markup import esc, tag
from defang_nb.render.order import critical, not_begun, timeline, waits_for
from defang_nb.render.words import STEPS, Look, Tone, clean, duration, step_seconds, step_title, was_begun

PENDING = 12
"""So many steps that have not begun are named; of more, the number."""


def timeline_section(view: DeploymentView, now: float) -> str:
    steps = timeline(view)
    waiting = [] if view.done else not_begun(view)
    if not steps:
        return ""
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
    note = " <small>· outlined: what everything else waits for</small>" if chain else ""
    return f'<h4>Timeline{note}</h4><ol class="tl" tabindex="0" aria-label="Timeline">{"".join(rows)}</ol>'


def step_look(step: StepView, view: DeploymentView) -> Look:
    """A step that still ran when the deployment ended is told as such."""
    if view.done and step.finished is None:
        return Look("■", "stopped", Tone.WARN)
    if step.status is StepStatus.SKIPPED and was_begun(step):
        return Look("■", "given up", Tone.WARN)
    return STEPS[step.status]


def _bar(step: StepView, look: Look, begin: float, span: float, until: float, outlined: bool) -> str:
    seconds = step_seconds(step, until)
    left = 100 * (step.started - begin) / span
    width = min(100 - left, 100 * seconds / span)
    title = clean(step_title(step))
    said = f"{title}: {look.word}, {duration(seconds)}" + (f": {clean(step.message)}" if step.message else "")
    css = f"{look.tone} crit" if outlined else look.tone.value
    return (
        f'<li title="{esc(said)}"><span class="n"><span class="{look.tone}" aria-hidden="true">{look.icon}</span> '
        f'{esc(title)}</span> <span class="t" role="img" aria-label="{esc(look.word)}">'
        f'<i class="{css}" style="left:{left:.2f}%;width:{width:.2f}%"></i></span> '
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
    return tag(
        "li", f'<span class="n wait"><span aria-hidden="true">○</span> {esc(title)}</span> <span class="w">{esc(why)}</span>'
    )

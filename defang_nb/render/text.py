"""`render_text`: the same view as plain text, for terminals without colour, `text/plain` outputs and logs."""

from __future__ import annotations

from defang_nb.model.events import Kind, Outcome
from defang_nb.model.plan import Action, Plan
from defang_nb.model.source import format_diagnostic
from defang_nb.model.view import DeploymentView, ServiceView
from defang_nb.render.logs import dropped_note, panes
from defang_nb.render.markup import Link, direct
from defang_nb.render.order import critical, in_dependency_order, not_begun, timeline
from defang_nb.render.plan import cause, change_text, plan_title, step_name
from defang_nb.render.problems import by_weight, told_at_the_end
from defang_nb.render.tables import columns
from defang_nb.render.timeline import PENDING, step_look, waited
from defang_nb.render.words import (
    action_look,
    clean,
    duration,
    elapsed,
    kind_note,
    only_plans,
    plan_counts,
    service_look,
    stage_look,
    step_seconds,
    step_title,
    time_left,
    was_begun,
)

_WIDE = 48
"""Characters of a service's state in a table."""


def render_text(view: DeploymentView, *, now: float, link: Link = direct, tail: int = 20, left: float | None = None) -> str:
    """Lines joined by newlines. Of each log that explains something, the last `tail` lines."""
    parts = [headline(view, now, left), *_services(view, link)]
    plan = plan_lines(view.plan, view.kind) if view.plan else []
    bars = _timeline(view, now)
    parts += [*plan, *bars] if only_plans(view) else [*bars, *plan]
    parts += _problems(view)
    for pane in panes(view):
        if pane.open:
            note = dropped_note(pane.log, tail)
            parts += ["", f"{pane.title} {pane.note}", *([f"  {note}"] if note else [])]
            parts += [f"  {clean(line)}" for line in pane.log.lines[-tail:]]
    return "\n".join(parts)


def headline(view: DeploymentView, now: float | None = None, left: float | None = None) -> str:
    """`✔ shop → local · live · 7f3k2 · 1:42`; without `now`, without the time it took; `left` as in `render_html`."""
    look = stage_look(view)
    taken = "" if now is None else elapsed(view, now)
    said = [
        f"{look.icon} {view.project} → {view.stack}",
        look.word,
        view.detail,
        kind_note(view),
        view.id,
        taken,
        time_left(left),
    ]
    return " · ".join(part for part in said if part)


def _services(view: DeploymentView, link: Link) -> list[str]:
    rows = []
    for service in in_dependency_order(view.services):
        runs = f"managed {service.managed}" if service.managed else service.what
        runs += f" × {service.replicas}" if service.replicas != 1 else ""
        where = ", ".join(link(each.url) for each in service.endpoints)
        rows.append((service.name, _state(service, view), runs, where))
    return [f"  {line}" for line in columns(rows)]


def _state(service: ServiceView, view: DeploymentView) -> str:
    """In a table the word comes first: what is told in full below is left out, what is long is cut."""
    text = service_look(service, view).text
    word, _, detail = text.partition(" · ")
    if detail and any(each.startswith(detail) for each in told_at_the_end(view)):
        return word
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"


def _timeline(view: DeploymentView, now: float) -> list[str]:
    until, told = now if view.finished is None else view.finished, told_at_the_end(view)
    chain = critical(view)
    rows = [
        (
            step_look(step, view).text,
            step_title(step) + (" *" if step.urn in chain else ""),
            duration(step_seconds(step, until)) if was_begun(step) else "",
            f"{duration(seconds)} of it until ready" if (seconds := waited(step, until)) else "",
            "" if any(each.startswith(step.message) for each in told) else clean(step.message).partition("\n")[0],
        )
        for step in timeline(view)
    ]
    waiting = [] if view.done else not_begun(view)
    rows += [("○ waiting", step_name(step), "", "", "") for step in waiting[:PENDING]]
    if len(waiting) > PENDING:
        rows.append((f"and {len(waiting) - PENDING} more", "", "", "", ""))
    note = " (*: what everything waits for)" if chain else ""
    return ["", f"Timeline{note}", *(f"  {line}" for line in columns(rows))] if rows else []


def plan_lines(plan: Plan, kind: Kind) -> list[str]:
    """The plan's counts, then a line for each changing step and each property that differs."""
    lines = ["", f"{plan_title(kind)}: {plan_counts(plan, kind)}"]
    for step in plan.mutations:
        look, why = action_look(step.action, kind), cause(step, kind)
        lines.append(f"  {look.icon} {look.word} {step_name(step)}" + (f": {why}" if why else ""))
        if step.action in (Action.UPDATE, Action.REPLACE):
            lines += [f"      {change_text(change)}" for change in step.changes]
    return lines


def _problems(view: DeploymentView) -> list[str]:
    lines = [""] if view.diagnostics or (view.done and (view.message or view.hint)) else []
    if view.done and view.message:
        lines.append(view.message if view.outcome is Outcome.SUCCEEDED else f"{stage_look(view).icon} {view.message}")
    if view.done and view.hint:
        lines.append(f"  hint: {view.hint}")
    return lines + [format_diagnostic(each) for each in by_weight(view.diagnostics)]

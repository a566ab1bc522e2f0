"""One event as one line of plain progress, for terminals that are no terminals and for logs of continuous integration."""

from __future__ import annotations

from defang_nb.model.events import (
    BuildLine,
    Diagnosed,
    EndpointFound,
    Event,
    Finished,
    Kind,
    LogLine,
    Planned,
    Requested,
    ServiceChanged,
    Stage,
    StageChanged,
    StepFinished,
    StepStatus,
)
from defang_nb.model.source import format_diagnostic
from defang_nb.model.view import DeploymentView
from defang_nb.render.text import plan_lines
from defang_nb.render.words import clean, elapsed, only_plans, plan_counts, service_look, stage_look, step_title


def progress_line(view: DeploymentView, event: Event) -> str:
    """What `event` changed, given the view after it; "" for what is no news by itself (a step's beginning, a log line)."""
    match event.payload:
        case Requested():
            return f"{view.project} → {view.stack}: {view.kind} {view.id}"
        case StageChanged(stage=Stage.SETTLING) if view.kind is Kind.DOWN:
            return ""  # nothing is waited for until it is healthy; that it removes was told
        case StageChanged() if not view.done:
            look = stage_look(view)
            return f"{look.text}{f' · {view.detail}' if view.detail else ''}"
        case ServiceChanged(service=name):
            return f"{name}: {service_look(view.services[name], view).text}"
        case BuildLine(step=step, line=line, services=services) if step:
            return f"{', '.join(services)} build: {clean(line)}"
        case LogLine(service=name, line=line, more=more):
            return "\n".join(f"{name} | {clean(each)}" for each in (line, *more))
        case Planned(plan=plan) if only_plans(view):
            return "\n".join(plan_lines(plan, view.kind)).strip()
        case Planned(plan=plan):
            return f"plan: {plan_counts(plan)}"
        case StepFinished(urn=urn, status=StepStatus.FAILED, message=message):
            return f"✘ {step_title(view.steps[urn])}: {clean(message)}"
        case EndpointFound(service=name, url=url):
            return f"{name}: {url}"
        case Diagnosed(diagnostic=diagnostic):
            return format_diagnostic(diagnostic)
        case Finished(message=message, hint=hint):
            said = f"{stage_look(view).text} · {view.id} · {elapsed(view, event.time)}"
            return "\n".join([said, *([f"  {message}"] if message else []), *([f"  hint: {hint}"] if hint else [])])
    return ""

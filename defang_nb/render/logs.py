"""The folded logs of a view: one pane for each image's build and each service that wrote something worth telling."""

from __future__ import annotations

from typing import NamedTuple

from defang_nb.model.events import ServiceState, StepStatus
from defang_nb.model.view import BuildView, DeploymentView, Log
from defang_nb.render.markup import esc
from defang_nb.render.words import clean, duration, plural, step_seconds


class LogPane(NamedTuple):
    """`note` is what the closed pane says beside the title; `open` marks the one that a reader wants first."""

    key: str
    title: str
    note: str
    log: Log
    open: bool


def panes(view: DeploymentView, now: float) -> list[LogPane]:
    builds = [_build_pane(build, view, now) for build in view.builds.values() if build.log.lines]
    services = [
        LogPane(
            key=f"log {service.name}",
            title=service.name,
            note=f"log · {count_lines(service.log)}",
            log=service.log,
            open=service.state is ServiceState.DEPLOYMENT_FAILED,
        )
        for service in view.services.values()
        if service.log.lines
    ]
    return builds + services


def _build_pane(build: BuildView, view: DeploymentView, now: float) -> LogPane:
    step = view.steps.get(build.urn)
    until = now if view.finished is None else view.finished
    running = step is not None and step.status is StepStatus.RUNNING and not view.done
    said = ["build"]
    if step is not None:
        said.append(duration(step_seconds(step, until)))
    if step is not None and step.status is StepStatus.FAILED:
        said.append("failed")
    if build.steps and (running or step is None or step.status is StepStatus.FAILED):
        said.append(f"step {build.step}/{build.steps}")
    said.append(count_lines(build.log))
    return LogPane(
        key=f"build {build.urn}",
        title=", ".join(build.services) or build.urn.rpartition("/")[2],
        note=" · ".join(said),
        log=build.log,
        open=running or (step is not None and step.status is StepStatus.FAILED),
    )


def count_lines(log: Log) -> str:
    return plural(len(log.lines) + log.dropped, "line")


def dropped_note(log: Log, tail: int | None = None) -> str:
    """`12 lines dropped`, or nothing when every line is here (of which the last `tail` are shown)."""
    hidden = log.dropped + (max(0, len(log.lines) - tail) if tail is not None else 0)
    return f"… {plural(hidden, 'line')} dropped" if hidden else ""


def log_pre(log: Log, label: str, tail: int | None = None) -> str:
    """The lines as a scrollable block that the keyboard can reach."""
    note = dropped_note(log, tail)
    first = f'<span class="drop">{esc(note)}</span>\n' if note else ""
    lines = log.lines if tail is None else log.lines[-tail:]
    text = "\n".join(esc(clean(line)) for line in lines)
    return f'<pre tabindex="0" role="log" aria-live="off" aria-label="{esc(label)}">{first}{text}</pre>'


def logs_section(view: DeploymentView, now: float) -> str:
    return "".join(
        f"<details{' open' if pane.open else ''}><summary><b>{esc(pane.title)}</b> {esc(pane.note)}</summary>"
        f"{log_pre(pane.log, f'{pane.title} {pane.note}')}</details>"
        for pane in panes(view, now)
    )

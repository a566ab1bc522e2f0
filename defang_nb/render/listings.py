"""Which tables there are: from the values that the client gives to the rows that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from defang_nb.model.events import DeploymentSummary, Outcome
from defang_nb.model.project import Port, Project, Service
from defang_nb.model.status import ServiceStatus
from defang_nb.render.tables import Cell, Table
from defang_nb.render.words import Look, Tone, duration, moment, plural

SERVICES = 200
"""So many services of a project are listed; of more, the number."""

_STATES: Mapping[str, Look] = {
    "running": Look("✔", "running", Tone.OK),
    "starting": Look("◐", "starting", Tone.RUN),
    "exited": Look("□", "exited", Tone.PLAIN),
    "crashed": Look("✘", "crashed", Tone.BAD),
    "stopped": Look("□", "stopped", Tone.WAIT),
}


def status_table(statuses: Sequence[ServiceStatus], *, now: float, title: str = "Services") -> Table:
    """What `ps` shows: live state, replicas, age, where each answers; and of which project, where there are several."""
    several = len({status.project for status in statuses}) > 1
    rows = tuple(
        (
            *((Cell(status.project),) if several else ()),
            Cell(status.service),
            Cell.of(status_look(status)),
            Cell(f"{status.running}/{status.wanted}"),
            Cell(duration(now - status.started) if status.started else ""),
            Cell(str(status.restarts) if status.restarts else ""),
            Cell(urls=tuple(each.url for each in status.endpoints)),
        )
        for status in statuses
    )
    heads = (*(("Project",) if several else ()), "Service", "State", "Running", "Up for", "Restarts", "Address")
    return Table(title, heads, rows, empty="nothing runs")


def status_look(status: ServiceStatus) -> Look:
    look = _STATES.get(status.state, Look("·", status.state, Tone.PLAIN))
    said = [look.word]
    if status.healthy is not None and status.state == "running":
        said.append("healthy" if status.healthy else "not healthy")
        look = look if status.healthy else Look("▲", look.word, Tone.WARN)
    if status.exit_code is not None and status.state in ("exited", "crashed"):
        said.append(f"exit code {status.exit_code}")
    if status.detail and status.detail not in said:
        said.append(status.detail)
    return look._replace(word=" · ".join(said))


def deployments_table(summaries: Sequence[DeploymentSummary], *, now: float, title: str = "Deployments") -> Table:
    """Newest first, as the client lists them."""
    rows = tuple(
        (
            Cell(each.id),
            Cell(each.kind.value),
            Cell(each.project),
            Cell.of(outcome_look(each)),
            Cell(moment(each.started)),
            Cell(duration((now if each.finished is None else each.finished) - each.started) if each.finished else ""),
            Cell(each.by),
            Cell(each.message),
        )
        for each in summaries
    )
    return Table(
        title, ("Deployment", "Kind", "Project", "State", "Started", "Took", "By", "What happened"), rows, empty="none yet"
    )


class Stray(Protocol):
    """Something that is live and no record knows."""

    @property
    def project(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def holds_data(self) -> bool: ...


def orphans_table(found: Sequence[Stray], *, title: str) -> Table:
    """What `stack doctor` shows."""
    rows = tuple(
        (Cell(each.project), Cell(each.title), Cell("yes", Tone.WARN) if each.holds_data else Cell(""), Cell(each.id))
        for each in found
    )
    return Table(title, ("Project", "What", "Holds data", "Id"), rows, empty="nothing: all that is there is recorded")


def outcome_look(summary: DeploymentSummary) -> Look:
    match summary.outcome:
        case Outcome.SUCCEEDED:
            return Look("✔", "succeeded", Tone.OK)
        case Outcome.FAILED:
            return Look("✘", "failed", Tone.BAD)
        case Outcome.CANCELLED:
            return Look("■", "cancelled", Tone.WARN)
    return Look("◐", "running, or cut off", Tone.RUN)


def config_table(names: Iterable[str], needed: Mapping[str, Sequence[str]], *, title: str = "Config") -> Table:
    """Names only: `needed` maps those that the current project wants to its services. Values are never shown anywhere."""
    have = set(names)
    rows = tuple(
        (
            Cell(name),
            Cell("✔ set", Tone.OK) if name in have else Cell("✘ not set", Tone.BAD),
            Cell(", ".join(needed.get(name, ()))),
        )
        for name in sorted(have | set(needed))
    )
    return Table(title, ("Name", "State", "Needed by"), rows, empty="no values are set")


def project_table(project: Project, *, config_names: Iterable[str] | None = None) -> Table:
    """What a checked Compose text comes to. `config_names` are the values that are set (None: not looked up)."""
    have = None if config_names is None else set(config_names)
    wanted = project.config_keys()
    shown = [*project.services.values()][:SERVICES]
    rows = tuple(_project_row(service, wanted, have) for service in shown)
    missing = [] if have is None else [key for key in wanted if key not in have]
    notes = tuple(f"✘ {key} is not set, and {_and(wanted[key])} needs it: config set {key} --random" for key in missing)
    if len(shown) < len(project.services):
        notes = (f"… and {plural(len(project.services) - len(shown), 'more service')}", *notes)
    return Table(
        f"{project.name} · {plural(len(project.services), 'service')}",
        ("Service", "Runs", "Ports", "Managed", "Config", "After"),
        rows,
        empty="no services",
        notes=notes,
    )


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)


def _project_row(service: Service, wanted: Mapping[str, Sequence[str]], have: set[str] | None) -> tuple[Cell, ...]:
    keys = [key for key, services in wanted.items() if service.name in services]
    marks = [
        key if have is None else f"{'✔' if key in have else '✘'} {key}" + ("" if key in have else " (not set)") for key in keys
    ]
    lacking = have is not None and any(key not in have for key in keys)
    return (
        Cell(service.name),
        Cell(runs(service)),
        Cell(", ".join(_port(port) for port in service.ports)),
        Cell(service.managed.kind.value if service.managed else ""),
        Cell(", ".join(marks), Tone.BAD if lacking else None),
        Cell(", ".join(service.depends_on)),
    )


def runs(service: Service) -> str:
    """Its image, or the folder that it is built from; and how many of it, where that is not one."""
    what = service.image
    if service.build is not None:
        what = f"build {service.build.context.rstrip('/').rpartition('/')[2] or '.'}"
        if service.build.dockerfile not in ("", "Dockerfile"):
            what += f" ({service.build.dockerfile})"
    return f"{what} × {service.replicas}" if service.replicas != 1 else what


def _port(port: Port) -> str:
    shown = str(port.target) if port.published in (None, port.target) else f"{port.published}→{port.target}"
    return f"{shown} {port.mode.value}"

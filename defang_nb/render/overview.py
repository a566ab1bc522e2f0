"""All stacks as tables: what goes on now, services with what they use, projects, and the history."""

from __future__ import annotations

from collections.abc import Iterable

from defang_nb.model.overview import Overview, ProjectOverview, StackOverview, Unfinished
from defang_nb.model.status import ServiceStatus
from defang_nb.render.listings import deployments_table, outcome_look, status_look
from defang_nb.render.markup import Link, card, direct, esc
from defang_nb.render.tables import Cell, Table, table_body, table_text
from defang_nb.render.usage import percent, size
from defang_nb.render.words import Look, Tone, duration, plural

ALIVE = Look("◐", "goes on", Tone.RUN)
CUT_OFF = Look("■", "cut off: its cd is gone", Tone.WARN)


def overview_tables(it: Overview) -> list[Table]:
    """From the most pressing on; what no stack has is left out, but for the services."""
    going = [(stack, each) for stack in it.stacks for each in stack.unfinished]
    tables = [_unfinished(going, it.time)] if going else []
    tables.append(_services(it))
    projects = [(stack, project) for stack in it.stacks for project in stack.projects]
    if projects:
        tables.append(_projects(projects))
    kept = [stack for stack in it.stacks if stack.history]
    return [*tables, *(deployments_table(each.history, now=it.time, title=f"History of {each.name}") for each in kept)]


def overview_text(it: Overview, *, link: Link = direct) -> str:
    return "\n\n".join([_headline(it), *(table_text(table, link=link) for table in overview_tables(it))])


def overview_html(it: Overview, *, link: Link = direct) -> str:
    sections = "".join(f'<div class="body">{table_body(table, link)}</div>' for table in overview_tables(it))
    head = f'<div class="head"><span class="name">Stacks</span><span class="mute">{esc(_headline(it))}</span></div>'
    return card(head + sections, "Dashboard of all stacks")


def _headline(it: Overview) -> str:
    services = [each for stack in it.stacks for project in stack.projects for each in project.services]
    live, wanted = _running(services)
    said = [
        ", ".join(f"{stack.name} ({stack.provider})" if stack.provider != stack.name else stack.name for stack in it.stacks),
        plural(sum(len(stack.projects) for stack in it.stacks), "project"),
        f"{live} of {plural(wanted, 'service')} running",
    ]
    known = [project.monthly for stack in it.stacks for project in stack.projects if project.monthly is not None]
    return " · ".join([*said, *([f"about ${sum(known):,.2f} a month"] if known else [])])


def _running(services: Iterable[ServiceStatus]) -> tuple[int, int]:
    """How many run of those that are meant to: one that is done with its work is not."""
    meant = [each for each in services if not (each.state == "exited" and each.exit_code == 0)]
    return sum(each.state == "running" for each in meant), len(meant)


def _unfinished(going: Iterable[tuple[StackOverview, Unfinished]], now: float) -> Table:
    rows = []
    for stack, each in going:
        it = each.deployment
        way = f"attach {it.id} -s {stack.name} · cancel {it.id} -s {stack.name}" if each.alive else "up goes on from there"
        look = Cell.of(ALIVE if each.alive else CUT_OFF)
        since = Cell(duration(now - it.started))
        rows.append((Cell(it.id), look, Cell(it.kind.value), Cell(it.project), Cell(stack.name), since, Cell(it.by), Cell(way)))
    return Table(
        "Deployments without an end", ("Deployment", "State", "Kind", "Project", "Stack", "For", "By", "Ways on"), tuple(rows)
    )


def _services(it: Overview) -> Table:
    rows = [
        (Cell(stack.name), Cell(project.name), *_service(each, project, it.time))
        for stack in it.stacks
        for project in stack.projects
        for each in project.services
    ]
    notes = tuple(f"▲ {stack.name}: {stack.trouble}" for stack in it.stacks if stack.trouble)
    columns = ("Stack", "Project", "Service", "State", "Running", "CPU", "Memory", "Up for", "Address")
    return Table("Services", columns, tuple(rows), empty="nothing runs", notes=notes)


def _service(status: ServiceStatus, project: ProjectOverview, now: float) -> tuple[Cell, ...]:
    used = [each for each in project.usage if each.service == status.service]
    return (
        Cell(status.service),
        Cell.of(status_look(status)),
        Cell(f"{status.running}/{status.wanted}"),
        Cell(percent(sum(each.cpu for each in used)) if used else ""),
        Cell(size(sum(each.memory for each in used)) if used else ""),
        Cell(duration(now - status.started) if status.started and status.running else ""),
        Cell(urls=tuple(each.url for each in status.endpoints)),
    )


def _projects(projects: Iterable[tuple[StackOverview, ProjectOverview]]) -> Table:
    rows = []
    for stack, project in projects:
        last = next((each for each in stack.history if each.project == project.name), None)
        live, wanted = _running(project.services)
        rows.append(
            (
                Cell(project.name),
                Cell(stack.name),
                Cell(f"{live} of {plural(wanted, 'service')}" if project.services else "down"),
                Cell(", ".join(project.config)),
                Cell(f"${project.monthly:,.2f}" if project.monthly is not None else ""),
                Cell.of(outcome_look(last)) if last else Cell(),
            )
        )
    return Table("Projects", ("Project", "Stack", "Running", "Config", "A month", "Last deployment"), tuple(rows))

"""All stacks as tables: what goes on now, services with what they use, projects, and the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from defang_nb.model.events import Kind
from defang_nb.model.overview import Overview, ProjectOverview, StackOverview, Unfinished
from defang_nb.model.status import ServiceStatus, Usage
from defang_nb.render.listings import deployments_table, outcome_look, status_look
from defang_nb.render.markup import Link, card, direct, esc
from defang_nb.render.tables import Cell, Table, table_body, table_text
from defang_nb.render.usage import History, percent, size, sparks
from defang_nb.render.words import Look, Tone, duration, moment, plural

_NOTHING: Mapping[tuple[str, str], History] = {}

ALIVE = Look("◐", "goes on", Tone.RUN)
CUT_OFF = Look("■", "cut off: its cd is gone", Tone.WARN)


Past = Mapping[tuple[str, str], History]
"""(stack, project) → what its services used in the looks before this one."""

CHARTED = 12
"""So many services of a project have charts: what is sent with each look stays small."""


def remember(past: dict[tuple[str, str], History], it: Overview) -> None:
    """Add this look's samples; a service's replicas count together."""
    for stack in it.stacks:
        for project in stack.projects:
            history = past.setdefault((stack.name, project.name), History(project.name))
            history.add([_together(each.service, project, it.time) for each in project.services if _used(each, project)])


def _together(service: str, project: ProjectOverview, time: float) -> Usage:
    used = [each for each in project.usage if each.service == service]
    return Usage(service=service, time=time, cpu=sum(each.cpu for each in used), memory=sum(each.memory for each in used))


def _used(status: ServiceStatus, project: ProjectOverview) -> bool:
    return any(each.service == status.service for each in project.usage)


def overview_tables(it: Overview, past: Past = _NOTHING) -> list[Table]:
    """From the most pressing on: what goes on, what can't be read, what runs, what is down, what was. Never none."""
    going = [(stack, each) for stack in it.stacks for each in stack.unfinished]
    there = [(stack, project) for stack in it.stacks for project in stack.projects]
    down = [(stack, project) for stack, project in there if not project.services]
    tables = [_unfinished(going, it.time)] if going else []
    tables += [_troubled(it)] if any(stack.trouble for stack in it.stacks) else []
    tables += [_project(stack, project, it.time, past) for stack, project in there if project.services]
    tables += [_down(down)] if down else []
    tables += [] if there else [Table("Projects", (), (), empty="nothing is deployed yet")]
    kept = [stack for stack in it.stacks if stack.history]
    return [*tables, *(deployments_table(each.history, now=it.time, title=f"History of {each.name}") for each in kept)]


def overview_text(it: Overview, *, link: Link = direct) -> str:
    return "\n\n".join([_headline(it), *(table_text(table, link=link) for table in overview_tables(it))])


def overview_html(it: Overview, *, link: Link = direct, past: Past = _NOTHING) -> str:
    sections = "".join(f'<div class="body">{table_body(table, link)}</div>' for table in overview_tables(it, past))
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
        onwards = f"{Kind.DOWN.value if it.kind is Kind.DOWN else Kind.UP.value} goes on from there"
        way = f"attach {it.id} -s {stack.name} · cancel {it.id} -s {stack.name}" if each.alive else onwards
        look = Cell.of(ALIVE if each.alive else CUT_OFF)
        since = Cell(duration(now - it.started))
        rows.append((Cell(it.id), look, Cell(it.kind.value), Cell(it.project), Cell(stack.name), since, Cell(it.by), Cell(way)))
    return Table(
        "Deployments without an end", ("Deployment", "State", "Kind", "Project", "Stack", "For", "By", "Ways on"), tuple(rows)
    )


def _troubled(it: Overview) -> Table:
    rows = tuple((Cell(f"▲ {each.name}", Tone.WARN), Cell(each.trouble)) for each in it.stacks if each.trouble)
    return Table("Not everything could be read", ("Stack", "Why"), rows)


def _project(stack: StackOverview, project: ProjectOverview, now: float, past: Past) -> Table:
    """What runs of one project, and beside its name what one wants to know of it at a glance."""
    live, wanted = _running(project.services)
    facts = [Cell(f"{live} of {plural(wanted, 'service')} running", Tone.OK if live == wanted else Tone.WARN)]
    facts += [Cell(f"about ${project.monthly:,.2f} a month")] if project.monthly is not None else []
    last = _last(stack, project)
    history = past.get((stack.name, project.name)) if len(project.services) <= CHARTED else None
    return Table(
        f"{project.name} → {stack.name}",
        ("Service", "State", "Running", "CPU", "Memory", "Up for", "Address"),
        tuple(_service(each, project, now, history) for each in project.services),
        notes=(f"config: {', '.join(project.config)}",) if project.config else (),
        facts=(*facts, *([last] if last.text else [])),
    )


def _last(stack: StackOverview, project: ProjectOverview) -> Cell:
    """How the latest that changed something ended, and when it began."""
    changing = (Kind.UP, Kind.DOWN)
    it = next((each for each in stack.history if each.project == project.name and each.kind in changing), None)
    if it is None:
        return Cell()
    look = outcome_look(it)
    return Cell(f"{look.icon} {it.kind} {look.word}, {moment(it.started)}", look.tone)


def _service(status: ServiceStatus, project: ProjectOverview, now: float, history: History | None) -> tuple[Cell, ...]:
    used = _together(status.service, project, now) if _used(status, project) else None
    cpu, memory = sparks(history, status.service) if history and used else ("", "")
    return (
        Cell(status.service),
        Cell.of(status_look(status)),
        Cell(f"{status.running}/{status.wanted}"),
        Cell(percent(used.cpu), chart=cpu) if used else Cell(),
        Cell(size(used.memory), chart=memory) if used else Cell(),
        Cell(duration(now - status.started) if status.started and status.running else ""),
        Cell(urls=tuple(each.url for each in status.endpoints)),
    )


def _down(projects: Iterable[tuple[StackOverview, ProjectOverview]]) -> Table:
    rows = tuple(
        (Cell(project.name), Cell(stack.name), Cell(", ".join(project.config)), _last(stack, project))
        for stack, project in projects
    )
    return Table("Projects of which nothing runs", ("Project", "Stack", "Config", "Last deployment"), rows)

"""One deployment of the past, as tables: who asked for what, how its services and steps went, its plan, its problems."""

from __future__ import annotations

from datetime import UTC, datetime

from defang_nb.model.past import Asked, PastDeployment
from defang_nb.model.plan import Action, Plan
from defang_nb.model.view import DeploymentView
from defang_nb.render.plan import change_text, step_name
from defang_nb.render.problems import by_weight
from defang_nb.render.tables import Cell, Table
from defang_nb.render.words import ACTIONS, SEVERITIES, STEPS, duration, plan_counts, service_look, stage_look


def past_tables(it: PastDeployment) -> list[Table]:
    """From the most asked for to the least; those that would be empty are left out."""
    tables = [_facts(it), _services(it), _plan(it.plan) if it.plan else None, _steps(it), _problems(it)]
    return [table for table in tables if table and table.rows]


def _facts(it: PastDeployment) -> Table:
    told = [
        ("State", Cell.of(stage_look(_view(it)))),
        ("What happened", Cell(it.message)),
        ("Hint", Cell(it.hint)),
        ("Kind", Cell(it.kind.value)),
        ("Project", Cell(it.project)),
        ("Stack", Cell(it.stack)),
        ("By", Cell(it.by)),
        ("Started", Cell(_time(it.started))),
        ("Took", Cell(duration(it.duration) if it.duration is not None else "")),
        *(_asked(it.asked) if it.asked else [("Request", Cell("no longer kept"))]),
        ("Events", Cell(str(it.events))),
    ]
    rows = tuple((Cell(name), cell) for name, cell in told if cell.text)
    return Table(f"Deployment {it.id}", ("", ""), rows)


def _asked(asked: Asked) -> list[tuple[str, Cell]]:
    flags = {"--build": asked.build, "--dry-run": asked.dry_run, "--yes": asked.yes}
    said = [flag for flag, given in flags.items() if given]
    if asked.wait_timeout is not None:
        said.append(f"--wait-timeout {asked.wait_timeout:g}")
    images = [
        f"{each.reference}{'' if each.context_kept else ' (its build context is no longer kept)'}" for each in asked.images
    ]
    return [
        ("Again", Cell(f"what {asked.rollback_of} deployed" if asked.rollback_of else "")),
        ("Asked with", Cell(" ".join(said))),
        ("Files", Cell(", ".join(asked.files))),
        ("Images", Cell(", ".join(images))),
        ("Config", Cell(", ".join(asked.config))),
    ]


def _services(it: PastDeployment) -> Table:
    view = _view(it)
    rows = tuple(
        (
            Cell(each.name),
            Cell(each.what),
            Cell.of(service_look(each, view)),
            Cell(urls=tuple(endpoint.url for endpoint in each.endpoints)),
        )
        for each in it.services
    )
    return Table("Services", ("Service", "Runs", "State", "Address"), rows)


def _plan(plan: Plan) -> Table:
    rows = []
    for step in plan.mutations:
        look = ACTIONS[step.action]
        changes = step.changes if step.action in (Action.UPDATE, Action.REPLACE) else ()
        said = "; ".join(change_text(each) for each in changes)
        rows.append((Cell.of(look), Cell(step_name(step)), Cell(step.cause), Cell(said)))
    return Table(f"Plan: {plan_counts(plan)}", ("", "What", "Why", "Changes"), tuple(rows))


def _steps(it: PastDeployment) -> Table:
    rows = tuple(
        (
            Cell.of(STEPS[each.status]),
            Cell(f"{ACTIONS[each.action].word} {each.title or each.urn}"),
            Cell(f"+{duration(max(0.0, each.started - it.started))}"),
            Cell(duration(each.finished - each.started) if each.finished else ""),
            Cell(each.message),
        )
        for each in it.steps
    )
    return Table("Steps", ("", "Step", "Began", "Took", "Detail"), rows)


def _problems(it: PastDeployment) -> Table:
    rows = []
    for each in by_weight(it.problems):
        look = SEVERITIES[each.severity]
        rows.append((Cell.of(look), Cell(str(each.position or "")), Cell(each.message), Cell(each.hint)))
    return Table("Findings", ("", "Where", "What", "Hint"), tuple(rows))


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _view(it: PastDeployment) -> DeploymentView:
    """As much of the view as the words for states look at."""
    return DeploymentView(id=it.id, kind=it.kind, outcome=it.outcome, plan=it.plan)

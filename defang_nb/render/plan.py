"""The plan: what would change or has changed, why, and property by property."""

from __future__ import annotations

from defang_nb.model.events import Kind
from defang_nb.model.plan import Action, Change, Plan, Step
from defang_nb.render.markup import esc, tag
from defang_nb.render.words import action_look, plan_counts, plural

SHOWN = 10
"""So many steps stand open; the rest is folded."""

LONGEST = 80
"""Characters of a value before it is cut; the whole of it is the element's title."""


def plan_title(kind: Kind) -> str:
    return "Not as recorded" if kind is Kind.REFRESH else "Plan"


def plan_section(plan: Plan | None, kind: Kind) -> str:
    """The plan as a section of its own, for a preview."""
    return f"<h4>{plan_title(kind)} <small>· {esc(plan_counts(plan, kind))}</small></h4>{_steps(plan, kind)}" if plan else ""


def plan_fold(plan: Plan | None, kind: Kind) -> str:
    """The plan as one of the things that fold."""
    return f"<details><summary><b>plan</b> {esc(plan_counts(plan))}</summary>{plan_body(plan, kind)}</details>" if plan else ""


def plan_body(plan: Plan, kind: Kind) -> str:
    """What the fold holds."""
    return f'<div class="fold">{_steps(plan, kind)}</div>'


def cause(step: Step, kind: Kind) -> str:
    """Why it is done, where neither the deployment's kind nor the differences say so already."""
    told = kind is Kind.DOWN and step.action is Action.DELETE
    told = told or (bool(step.changes) and step.cause == f"{', '.join(each.path for each in step.changes)} changed")
    return "" if told or step.cause.removeprefix("is ") == action_look(step.action, kind).word else step.cause


def _steps(plan: Plan, kind: Kind) -> str:
    rows = [_row(step, kind) for step in plan.mutations]
    if not rows:
        as_it_is = "recorded" if kind is Kind.REFRESH else "the project says"
        return f'<div class="mute">Nothing to change: everything is as {as_it_is}.</div>'
    told = kind is not Kind.DOWN
    table = _table(rows[:SHOWN], told)
    if len(rows) > SHOWN:
        more = f"<summary>{plural(len(rows) - SHOWN, 'more step')}</summary>"
        table += f"<details>{more}{_table(rows[SHOWN:], told)}</details>"
    return table


def _table(rows: list[str], told: bool) -> str:
    """`told`: there is something to say beside the steps' names."""
    why = '<th scope="col">What changes, and why</th>' if told else "<td></td>"
    head = f'<thead><tr><th scope="col">Step</th>{why}</tr></thead>'
    return f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _row(step: Step, kind: Kind) -> str:
    look = action_look(step.action, kind)
    name = (
        f'<th scope="row"><span class="{look.tone}"><span aria-hidden="true">{look.icon}</span> {look.word}</span> '
        f"{esc(step_name(step))}</th>"
    )
    why = cause(step, kind)
    parts = [f'<span class="mute">{esc(why)}</span>'] if why else []
    changes = step.changes if step.action in (Action.UPDATE, Action.REPLACE) else ()
    parts += [f'<div class="diff">{_change(change)}</div>' for change in changes]
    return tag("tr", f"{name}<td>{''.join(parts)}</td>")


def step_name(step: Step) -> str:
    return step.title or " ".join(step.urn.split("/")[-2:])


def _change(change: Change) -> str:
    sides = []
    if change.before:
        sides.append(f'<del class="bad" title="{esc(change.before)}">{esc(shorten(change.before))}</del>')
    if change.after:
        sides.append(f'<ins class="ok" title="{esc(change.after)}">{esc(shorten(change.after))}</ins>')
    match bool(change.before), bool(change.after):
        case True, True:
            word = ": "
        case True, False:
            word = " removed: "
        case False, True:
            word = " added: "
        case _:
            word = " changed"
    note = ' <span class="warn">(replaces)</span>' if change.replaces else ""
    return f"{esc(change.path)}{word}{' → '.join(sides)}{note}"


def shorten(text: str) -> str:
    """`text` within `LONGEST` characters, its end kept where digests differ."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 16]}…{text[-15:]}"


def change_text(change: Change) -> str:
    """One property's difference in a line of plain text."""
    match bool(change.before), bool(change.after):
        case True, True:
            said = f"{change.path}: {shorten(change.before)} → {shorten(change.after)}"
        case True, False:
            said = f"{change.path} removed: {shorten(change.before)}"
        case False, True:
            said = f"{change.path} added: {shorten(change.after)}"
        case _:
            said = f"{change.path} changed"
    return f"{said} (replaces)" if change.replaces else said

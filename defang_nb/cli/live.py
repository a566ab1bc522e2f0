"""The live view on a terminal, drawn by rich from the same view, words and orders as everything else."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from defang_nb.model.source import format_diagnostic
from defang_nb.model.view import DeploymentView
from defang_nb.render.logs import panes
from defang_nb.render.order import in_dependency_order
from defang_nb.render.problems import by_weight
from defang_nb.render.text import headline, plan_lines
from defang_nb.render.words import SEVERITIES, Look, Tone, clean, only_plans, service_look, stage_look

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment

TAIL = 6
"""Lines of a running build that stand under the table."""

_STYLES = {
    Tone.OK: "green",
    Tone.RUN: "blue",
    Tone.WAIT: "bright_black",
    Tone.BAD: "red",
    Tone.WARN: "yellow",
    Tone.PLAIN: "bright_black",
}


def watch_live(deployment: Deployment, console: Console) -> None:
    """Draw until it is over, then leave the final view standing. A KeyboardInterrupt passes through."""
    over = threading.Event()
    deployment.when_over(over.set)
    with Live(console=console, get_renderable=lambda: _drawn(deployment), refresh_per_second=4, transient=True):
        while not over.wait(0.5):
            pass
    view = deployment.view
    console.print(live_view(view, now=time.time()))
    for url in _doors(view):
        console.print(Text(f"→ {url}", style=f"bold link {url}"))


def _drawn(deployment: Deployment) -> RenderableType:
    now = time.time()
    return live_view(deployment.view, now=now, left=deployment.left(now))


def live_view(view: DeploymentView, *, now: float, left: float | None = None) -> RenderableType:
    """What stands on the terminal at one moment."""
    parts: list[RenderableType] = [Text(headline(view, now, left), style=f"bold {_STYLES[stage_look(view).tone]}")]
    if not view.done:
        parts.append(_bar(view))
    parts.append(_services(view))
    if view.plan is not None and (only_plans(view) or not view.steps):
        parts.append(Text("\n".join(plan_lines(view.plan, view.kind))))
    for pane in panes(view):
        if pane.open:
            parts.append(Text(f"{pane.title} {pane.note}", style="bold"))
            parts.append(
                Text("\n".join(f"  {clean(line)}" for line in pane.log.lines[-TAIL:]), overflow="ellipsis", no_wrap=True)
            )
    parts.extend(
        Text(format_diagnostic(each), style=_STYLES[SEVERITIES[each.severity].tone]) for each in by_weight(view.diagnostics)
    )
    if view.done and view.message:
        parts.append(Text(f"{stage_look(view).icon} {view.message}"))
    if view.done and view.hint:
        parts.append(Text(f"  hint: {view.hint}"))
    return Group(*parts)


def _bar(view: DeploymentView) -> RenderableType:
    """In a table of its own, since a bar alone does not end its line."""
    row = Table.grid()
    row.add_row(ProgressBar(total=100, completed=round(100 * view.progress), width=60))
    return row


def _services(view: DeploymentView) -> Table:
    table = Table.grid(padding=(0, 2))
    for service in in_dependency_order(view.services):
        where = Text("  ").join([Text(each.url, style=f"link {each.url}") for each in service.endpoints])
        table.add_row(Text(service.name, style="bold"), _look(service_look(service, view)), where)
    return table


def _look(look: Look) -> Text:
    return Text(look.text, style=_STYLES[look.tone])


def _doors(view: DeploymentView) -> list[str]:
    return [each.url for service in view.services.values() for each in service.endpoints if each.public]

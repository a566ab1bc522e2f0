"""`render_html`: a deployment's view as a self-contained piece of HTML: no scripts, nothing loaded from anywhere.

Each section is a function from the view to HTML; the order in `render_html` is the order on the page.
"""

from __future__ import annotations

from defang_nb.model.events import Kind, Outcome
from defang_nb.model.view import DeploymentView
from defang_nb.render.logs import logs_section
from defang_nb.render.markup import Link, anchor, card, direct, esc, looked, time_tag
from defang_nb.render.plan import plan_fold, plan_section
from defang_nb.render.problems import errors_section, remarks_section
from defang_nb.render.services import services_section
from defang_nb.render.timeline import timeline_section
from defang_nb.render.words import Tone, elapsed, kind_note, moment, only_plans, stage_look, time_left


def render_html(
    view: DeploymentView, *, now: float, link: Link = direct, live: bool = False, left: float | None = None
) -> str:  # fmt: skip
    """`now` is epoch seconds (it only matters while the deployment runs); `link` rewrites endpoint addresses.

    `left` are the seconds that it may go on, where those are known. `live`: without what folds (plan, logs) and the
    stylesheet, for a view that is sent again and again and has places of its own for them.
    """
    preview = only_plans(view)
    right = plan_section(view.plan, view.kind) if preview else timeline_section(view, now)
    body = (
        _header(view, now, link, left)
        + _progress(view)
        + errors_section(view)
        + _grid(services_section(view, link), right)
        + remarks_section(view)
        + ("" if preview or live else plan_fold(view.plan, view.kind))
        + ("" if live else logs_section(view, now))
    )
    return card(body, f"Deployment {view.id} of {view.project} to {view.stack}", style=not live)


def _grid(*sections: str) -> str:
    """Those that have something to say, beside each other where there is room."""
    shown = "".join(f"<section>{each}</section>" for each in sections if each)
    return f'<div class="grid">{shown}</div>' if shown else ""


def _header(view: DeploymentView, now: float, link: Link, left: float | None) -> str:
    look = stage_look(view)
    note = kind_note(view)
    place = view.stack if view.provider in ("", view.stack) else f"{view.stack} · {view.provider}"
    parts = [
        f'<span class="name">{esc(view.project or "…")}</span>',
        f'<span class="mute"><span aria-hidden="true">→</span> {esc(place)}</span>' if place else "",
        f'<span class="mute">{esc(note)}</span>' if note else "",
        f'<span class="state" role="status" aria-live="polite">{looked(look)}</span>',
        f'<span class="mute">{esc(said)}</span>' if (said := view.detail or _came_to(view)) else "",
        f'<span class="mute mono">{esc(view.id)}</span>',
        '<span class="sp"></span>',
        _when(view, now, left),
        _front_doors(view, link),
    ]
    return f'<div class="head">{" ".join(filter(None, parts))}</div>'


def _came_to(view: DeploymentView) -> str:
    """What came of it in a few words, where it went well."""
    return view.message if view.outcome is Outcome.SUCCEEDED else ""


def _when(view: DeploymentView, now: float, left: float | None) -> str:
    taken = elapsed(view, now)
    if view.finished is None:
        return f'<span class="mute keep">{" · ".join(filter(None, (taken, time_left(left))))}</span>'
    ended = time_tag(view.finished, moment(view.finished))
    return f'<span class="mute keep">{f"{taken} · " if taken else ""}{ended}</span>'


def _front_doors(view: DeploymentView, link: Link) -> str:
    """The first public address of each service, as something to click at once."""
    if view.kind is not Kind.UP or view.outcome not in (None, Outcome.SUCCEEDED):
        return ""
    doors = [(service.name, each) for service in view.services.values() for each in service.endpoints[:1] if each.public]
    return "".join(anchor(endpoint.url, link, f"Open {name} ↗", "go") for name, endpoint in doors[:3])


def _progress(view: DeploymentView) -> str:
    share = round(100 * view.progress)
    tone = Tone.RUN if view.outcome is None else stage_look(view).tone
    wanted = len(view.plan.mutations) if view.plan else 0
    over = min(wanted, sum(step.finished is not None for step in view.steps.values()))
    spoken = f"{over} of {wanted} steps" if wanted else stage_look(view).word
    return (
        f'<div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share}" aria-valuetext="{esc(spoken)}"><i class="{tone}" style="width:{share}%"></i></div>'
    )

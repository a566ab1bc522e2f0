"""`render_html`: a deployment's view as a self-contained piece of HTML: no scripts, nothing loaded from anywhere.

`parts` are the pieces of which it is put together, in the order of the page: each is a function from the view to HTML.
"""

from __future__ import annotations

from typing import NamedTuple

from defang_nb.model.events import Kind, Outcome
from defang_nb.model.view import DeploymentView
from defang_nb.render.logs import logs_section
from defang_nb.render.markup import Link, anchor, card, direct, esc, looked, tag, time_tag
from defang_nb.render.plan import plan_fold, plan_section
from defang_nb.render.problems import errors_section, remarks_section
from defang_nb.render.services import services_section
from defang_nb.render.timeline import timeline_section
from defang_nb.render.words import Tone, elapsed, kind_note, moment, only_plans, stage_look, time_left


class Head(NamedTuple):
    """The first line. Only `when` changes by itself; `state` is what screen readers read out when it changes."""

    name: str
    state: str
    detail: str
    id: str
    when: str
    doors: str


class Parts(NamedTuple):
    """Pieces of HTML that change apart from each other; "" for what there is nothing to say of."""

    head: Head
    bar: str
    errors: str
    services: str
    course: str
    remarks: str


def parts(view: DeploymentView, *, now: float, link: Link = direct, left: float | None = None) -> Parts:
    """All but what folds (plan, logs). The arguments are those of `render_html`."""
    course = plan_section(view.plan, view.kind) if only_plans(view) else timeline_section(view, now)
    services = services_section(view, link)
    return Parts(
        head=_head(view, now, link, left),
        bar=_progress(view),
        errors=errors_section(view),
        services=tag("section", services, "wide") if services else "",
        course=tag("section", course) if course else "",
        remarks=remarks_section(view),
    )


def render_html(view: DeploymentView, *, now: float, link: Link = direct, left: float | None = None) -> str:
    """`now` is epoch seconds (it only matters while the deployment runs); `link` rewrites endpoint addresses.

    `left` are the seconds that it may go on, where those are known.
    """
    it = parts(view, now=now, link=link, left=left)
    body = (
        tag("div", " ".join(filter(None, it.head)), "head")
        + it.bar
        + it.errors
        + (tag("div", it.services + it.course, "grid") if it.services or it.course else "")
        + it.remarks
        + ("" if only_plans(view) else plan_fold(view.plan, view.kind))
        + logs_section(view)
    )
    return card(body, f"Deployment {view.id} of {view.project} to {view.stack}")


def _head(view: DeploymentView, now: float, link: Link, left: float | None) -> Head:
    note = kind_note(view)
    place = view.stack if view.provider in ("", view.stack) else f"{view.stack} · {view.provider}"
    name = [
        f'<span class="name">{esc(view.project or "…")}</span>',
        f'<span class="mute"><span aria-hidden="true">→</span> {esc(place)}</span>' if place else "",
        f'<span class="mute">{esc(note)}</span>' if note else "",
    ]
    return Head(
        name=" ".join(filter(None, name)),
        state=f'<span class="state" role="status" aria-live="polite">{looked(stage_look(view))}</span>',
        detail=f'<span class="mute">{esc(said)}</span>' if (said := view.detail or _came_to(view)) else "",
        id=f'<span class="mute mono">{esc(view.id)}</span> <span class="sp"></span>',
        when=_when(view, now, left),
        doors=_front_doors(view, link),
    )


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

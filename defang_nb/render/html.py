"""`render_html`: a deployment's view as a self-contained piece of HTML: no scripts, nothing loaded from anywhere.

Each section is a function from the view to HTML; the order in `render_html` is the order on the page.
"""

from __future__ import annotations

from datetime import UTC, datetime

from defang_nb.model.events import Kind, Outcome
from defang_nb.model.view import DeploymentView, ServiceView
from defang_nb.render.graph import dependency_svg
from defang_nb.render.logs import logs_section
from defang_nb.render.markup import Link, anchor, card, direct, esc, looked
from defang_nb.render.order import in_dependency_order
from defang_nb.render.plan import plan_fold, plan_section
from defang_nb.render.problems import problems_section
from defang_nb.render.timeline import timeline_section
from defang_nb.render.words import Tone, elapsed, kind_note, only_plans, service_look, stage_look


def render_html(view: DeploymentView, *, now: float, link: Link = direct, logs: bool = True) -> str:
    """`now` is epoch seconds (it only matters while the deployment runs); `link` rewrites endpoint addresses.

    Without `logs` the folded logs are left out, for a live view that shows them in a place of its own.
    """
    preview = only_plans(view)
    right = plan_section(view.plan) if preview else timeline_section(view, now)
    body = (
        _header(view, now, link)
        + _progress(view)
        + '<div class="grid">'
        + f"<section>{_services(view, link)}</section>"
        + (f"<section>{right}</section>" if right else "")
        + "</div>"
        + problems_section(view)
        + ("" if preview else plan_fold(view.plan, open_=not view.done))
        + (logs_section(view, now) if logs else "")
    )
    return card(body, f"Deployment {view.id} of {view.project} to {view.stack}")


def _header(view: DeploymentView, now: float, link: Link) -> str:
    look = stage_look(view)
    note = kind_note(view.kind)
    place = view.stack if view.provider in ("", view.stack) else f"{view.stack} · {view.provider}"
    parts = [
        f'<span class="name">{esc(view.project or "…")}</span>',
        f'<span class="mute"><span aria-hidden="true">→</span> {esc(place)}</span>' if place else "",
        f'<span class="mute">{esc(note)}</span>' if note else "",
        f'<span class="state" role="status" aria-live="polite">{looked(look)}</span>',
        f'<span class="mute">{esc(view.detail)}</span>' if view.detail else "",
        f'<span class="mute mono">{esc(view.id)}</span>',
        '<span class="sp"></span>',
        _when(view, now),
        _front_doors(view, link),
    ]
    return f'<div class="head">{"".join(parts)}</div>'


def _when(view: DeploymentView, now: float) -> str:
    taken = elapsed(view, now)
    if view.finished is None:
        return f'<span class="mute keep">{taken}</span>'
    ended = datetime.fromtimestamp(view.finished, UTC)
    return (
        f'<span class="mute keep">{taken} · <time datetime="{ended.isoformat(timespec="seconds")}">'
        f"{ended:%Y-%m-%d %H:%M} UTC</time></span>"
    )


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


def _services(view: DeploymentView, link: Link) -> str:
    if not view.services:
        return '<h4>Services</h4><div class="mute">none known yet</div>'
    addressed = any(service.endpoints for service in view.services.values())
    rows = "".join(_service_row(service, view, link, addressed) for service in in_dependency_order(view.services))
    names = ("Service", "State", "Runs", *(["Address"] if addressed else []))
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f"<h4>Services</h4>{dependency_svg(view)}"
        f'<div class="scroll"><table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _service_row(service: ServiceView, view: DeploymentView, link: Link, addressed: bool) -> str:
    times = f' <span class="keep">× {service.replicas}</span>' if service.replicas != 1 else ""
    runs = f"managed {service.managed}" if service.managed else service.what
    places = "<br>".join(
        anchor(each.url, link) + ("" if each.public else ' <span class="mute">private</span>') for each in service.endpoints
    )
    return (
        f'<tr><th scope="row">{esc(service.name)}</th><td>{looked(service_look(service, view))}</td>'
        f'<td class="mute">{esc(runs)}{times}</td>'
        f"{f'<td>{places}</td>' if addressed else ''}</tr>"
    )

"""The table of a deployment's services: state, health, image, last change and address of each."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from defang_nb.model.view import DeploymentView, ServiceView
from defang_nb.render.graph import dependency_svg
from defang_nb.render.markup import Link, anchor, esc, looked
from defang_nb.render.order import in_dependency_order
from defang_nb.render.words import Look, duration, service_look

_HEALTH = re.compile(r"(?:un|not )?health", re.IGNORECASE)
_SHORT = 28
"""Characters of a state's detail that stand beside its word; a longer one has a line of its own."""


def services_section(view: DeploymentView, link: Link) -> str:
    if not view.services:
        return ""
    services = in_dependency_order(view.services)
    used = {
        "Health": any(_health(each) for each in services),
        "Last change": any(_moved(each, view) for each in services),
        "Address": any(each.endpoints for each in services),
    }
    columns = [name for name in ("Service", "State", "Health", "Address", "Image", "Last change") if used.get(name, True)]
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(_row(each, view, link, columns) for each in services)
    return (
        f"<h4>Services</h4>{dependency_svg(view)}"
        f'<div class="scroll" tabindex="0" role="group" aria-label="Services"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(service: ServiceView, view: DeploymentView, link: Link, columns: list[str]) -> str:
    size = "long" if len(service.name) > _SHORT else "keep"
    cells = {
        "Service": f'<th scope="row" class="{size}">{esc(service.name)}</th>',
        "State": f'<td class="keep">{_state(service, view)}</td>',
        "Health": f'<td class="keep">{esc(_health(service))}</td>',
        "Image": f'<td class="mute img">{_image(service)}</td>',
        "Last change": f'<td class="mute keep">{_change(service, view)}</td>',
        "Address": f"<td>{_places(service, link)}</td>",
    }
    row = "".join(cells[name] for name in columns)
    more = _more(service, view)
    if not more:
        return f"<tr>{row}</tr>"
    return f'<tr class="with">{row}</tr><tr><td></td><td class="more" colspan="{len(columns) - 1}">{esc(more)}</td></tr>'


def _state(service: ServiceView, view: DeploymentView) -> str:
    """Icon and word; what says more stands beside the word where it is short, and where it is health in a column of its own."""
    look = service_look(service, view)
    word, _, detail = look.word.partition(" · ")
    if detail == _health(service) or _more(service, view):
        return looked(Look(look.icon, word, look.tone))
    return looked(look)


def _more(service: ServiceView, view: DeploymentView) -> str:
    """What is too long to stand beside the state's word, and has a row of its own."""
    word = service_look(service, view).word
    detail = word.partition(" · ")[2]
    return detail if detail != _health(service) and len(word) > _SHORT else ""


def _health(service: ServiceView) -> str:
    return service.detail if _HEALTH.match(service.detail) and len(service.detail) <= _SHORT else ""


def _image(service: ServiceView) -> str:
    times = f' <span class="keep">× {service.replicas}</span>' if service.replicas != 1 else ""
    return esc(f"managed {service.managed}" if service.managed else service.what) + times


def _moved(service: ServiceView, view: DeploymentView) -> bool:
    return service.changed > view.started > 0


def _change(service: ServiceView, view: DeploymentView) -> str:
    """How long after the beginning; the time of day is in the element, for whoever asks for it."""
    if not _moved(service, view):
        return ""
    moment = datetime.fromtimestamp(service.changed, UTC)
    said = f"{moment:%H:%M:%S} UTC"
    return (
        f'<time datetime="{moment.isoformat(timespec="seconds")}" title="{said}">'
        f"after {duration(service.changed - view.started)}</time>"
    )


def _places(service: ServiceView, link: Link) -> str:
    return "<br>".join(
        anchor(each.url, link) + ("" if each.public else ' <span class="mute">private</span>') for each in service.endpoints
    )

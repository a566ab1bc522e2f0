"""The table of a deployment's services: state and health, address, image and last change of each."""

from __future__ import annotations

from defang_nb.model.events import Kind
from defang_nb.model.view import DeploymentView, Endpoint, ServiceView
from defang_nb.render.graph import dependency_svg
from defang_nb.render.markup import Link, anchor, esc, looked, time_tag, without_scheme
from defang_nb.render.order import in_dependency_order
from defang_nb.render.problems import told_at_the_end
from defang_nb.render.words import Look, Tone, duration, only_plans, service_look

_SHORT = 28
"""Characters of a state that stand in its column; what is longer has a line of its own. Of an image: its last part is shown."""


def services_section(view: DeploymentView, link: Link) -> str:
    if not view.services:
        return ""
    services = in_dependency_order(view.services)
    goes_on = not (view.done or only_plans(view))  # a column that came later would move the others
    used = {
        "Last change": goes_on or any(_moved(each, view) for each in services),
        "Address": (goes_on and view.kind is Kind.UP) or any(each.endpoints for each in services),
    }
    columns = [name for name in ("Service", "State", "Address", "Image", "Last change") if used.get(name, True)]
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(_row(each, view, link, columns) for each in services)
    return (
        f"<h4>Services</h4>{dependency_svg(view)}"
        f'<div class="scroll" tabindex="0" role="group" aria-label="Services"><table class="rows">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(service: ServiceView, view: DeploymentView, link: Link, columns: list[str]) -> str:
    size = "long" if len(service.name) > _SHORT else "keep"
    state, more = _state(service, view)
    cells = {
        "Service": f'<th scope="row" class="{size}">{esc(service.name)}</th>',
        "State": f'<td class="keep look"{_whole(state.word)}>{looked(state)}</td>',
        "Address": f'<td class="at">{"<br>".join(_place(each, link) for each in service.endpoints)}</td>',
        "Image": f'<td class="mute img">{_image(service)}</td>',
        "Last change": f'<td class="mute keep">{_change(service, view)}</td>',
    }
    row = "".join(cells[name] for name in columns)
    if not more:
        return f"<tr>{row}</tr>"
    return f'<tr class="with">{row}</tr><tr><td></td><td class="more" colspan="{len(columns) - 1}">{esc(more)}</td></tr>'


def _state(service: ServiceView, view: DeploymentView) -> tuple[Look, str]:
    """Icon and word; and what is too long to stand beside the word, unless the end tells it anyway.

    What is so for a moment is shown as far as there is room: a line of its own would push all below it down, and up again.
    """
    look = service_look(service, view)
    if len(look.word) <= _SHORT or look.tone is Tone.RUN:
        return look, ""
    word, _, detail = look.word.partition(" · ")
    told = any(detail and each.startswith(detail) for each in told_at_the_end(view))
    return look._replace(word=word), "" if told else detail


def _image(service: ServiceView) -> str:
    """Of a long reference its last part, where images differ; the whole of it is the element's title."""
    what = f"managed {service.managed}" if service.managed else service.what
    shown = what if len(what) <= _SHORT else f"…/{what.rpartition('/')[2]}"
    times = f' <span class="keep">× {service.replicas}</span>' if service.replicas != 1 else ""
    return f"<span{_whole(what)}>{esc(shown)}</span>{times}"


def _whole(text: str) -> str:
    """The title of an element that has no room for it."""
    return f' title="{esc(text)}"' if len(text) > _SHORT else ""


def _moved(service: ServiceView, view: DeploymentView) -> bool:
    return service.changed > view.started > 0


def _change(service: ServiceView, view: DeploymentView) -> str:
    """How long after the beginning."""
    moved = _moved(service, view)
    return time_tag(service.changed, f"after {duration(service.changed - view.started)}") if moved else ""


def _place(endpoint: Endpoint, link: Link) -> str:
    private = "" if endpoint.public else ' <span class="mute">private</span>'
    return f"{anchor(endpoint.url, link, without_scheme(endpoint.url))}{private}"

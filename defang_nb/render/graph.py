"""The dependency picture: a small SVG, what is asked for at the left, what it stands on to its right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from defang_nb.model.view import DeploymentView, ServiceView
from defang_nb.render.markup import esc
from defang_nb.render.order import direct_needs, layers
from defang_nb.render.words import service_look

MOST = 16
"""With more services than this a picture of this size tells less than the table does."""

_HEIGHT, _ROW, _GAP, _CHAR = 28, 40, 44, 7.1


class _Box(NamedTuple):
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.y + _HEIGHT / 2


def dependency_svg(view: DeploymentView) -> str:
    """Empty when nothing depends on anything, or there is too much to draw."""
    services = view.services
    if len(services) > MOST or not any(service.depends_on for service in services.values()):
        return ""
    boxes, width, height = _place(services)
    edges = "".join(_edge(boxes[name], boxes[needed]) for name in services for needed in direct_needs(name, services))
    nodes = "".join(_node(name, boxes[name], view) for name in services)
    return (
        f'<div class="scroll"><svg role="img" aria-label="{esc(spoken(services))}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}"><g class="e">{edges}</g>{nodes}</svg></div>'
    )


def spoken(services: Mapping[str, ServiceView]) -> str:
    """The picture in words: "web depends on api; api depends on db and cache"."""
    said = [f"{name} depends on {_and(service.depends_on)}" for name, service in services.items() if service.depends_on]
    return "; ".join(said)


def _and(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _place(services: Mapping[str, ServiceView]) -> tuple[Mapping[str, _Box], float, float]:
    columns = layers(services)
    tallest = max(len(column) for column in columns)
    height = tallest * _ROW - (_ROW - _HEIGHT) + 4
    boxes: dict[str, _Box] = {}
    x = 2.0
    for column in columns:
        width = max(len(name) for name in column) * _CHAR + 42
        top = 2 + (tallest - len(column)) * _ROW / 2
        for row, name in enumerate(column):
            boxes[name] = _Box(x, top + row * _ROW, width)
        x += width + _GAP
    return boxes, x - _GAP + 2, height


def _edge(start: _Box, end: _Box) -> str:
    x1, y1, x2, y2 = start.x + start.width, start.middle, end.x, end.middle
    bend = min(30.0, (x2 - x1) / 2)
    return f'<path class="e" d="M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"/>'


def _node(name: str, box: _Box, view: DeploymentView) -> str:
    look = service_look(view.services[name], view)
    return (
        f'<g><rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{box.x + 11:.1f}" y="{box.y + 18.5:.1f}">'
        f'<tspan class="{look.tone}">{look.icon}</tspan> {esc(name)}</text></g>'
    )

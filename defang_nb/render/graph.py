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

_HEIGHT, _SPACE, _GAP, _CHAR = 28, 12, 44, 7.1
_GAP_HEIGHT = 8

_Edge = tuple[str, str]
"""(who needs it, what is needed)"""


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def dependency_svg(view: DeploymentView) -> str:
    """Empty when nothing depends on anything, or there is too much to draw."""
    services = view.services
    if len(services) > MOST or not any(direct_needs(name, services) for name in services):
        return ""
    boxes, ways, width, height = _place(services)
    edges = "".join(_line(boxes[name], through, boxes[needed]) for (name, needed), through in ways.items())
    nodes = " ".join(_node(name, boxes[name], view) for name in services)
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


def _place(services: Mapping[str, ServiceView]) -> tuple[Mapping[str, _Box], Mapping[_Edge, list[_Box]], float, float]:
    """Where each box stands, the gaps that each line goes through on its way, and the size of it all."""
    columns, passing = _with_gaps(services)
    rows = [sum(_room(each, services) for each in column) - _SPACE for column in columns]
    height = max(rows) + 4
    boxes: dict[str, _Box] = {}
    x = 2.0
    for column, taken in zip(columns, rows, strict=True):
        width = max((len(name) for name in column if name in services), default=0) * _CHAR + 42
        y = 2 + (max(rows) - taken) / 2
        for name in column:
            boxes[name] = _Box(x, y, width, _tall(name, services))
            y += _room(name, services)
        x += width + _GAP
    ways = {edge: [boxes[name] for name in through] for edge, through in passing.items()}
    return {name: boxes[name] for name in services}, ways, x - _GAP + 2, height


def _room(name: str, services: Mapping[str, ServiceView]) -> float:
    return _tall(name, services) + _SPACE


def _tall(name: str, services: Mapping[str, ServiceView]) -> float:
    return _HEIGHT if name in services else _GAP_HEIGHT


def _with_gaps(services: Mapping[str, ServiceView]) -> tuple[list[list[str]], dict[_Edge, list[str]]]:
    """The columns, with a gap for each line that goes past one; in a column, what belongs to the same row stands together."""
    columns = layers(services)
    level = {name: index for index, column in enumerate(columns) for name in column}
    passing: dict[_Edge, list[str]] = {}
    for name in services:
        for needed in direct_needs(name, services):
            between = range(level[name] + 1, level[needed])
            passing[name, needed] = [f"{name}\n{needed}\n{index}" for index in between]
            for index, gap in zip(between, passing[name, needed], strict=True):
                columns[index].append(gap)
    for index, column in enumerate(columns[1:], 1):
        before = {name: row / max(1, len(columns[index - 1]) - 1) for row, name in enumerate(columns[index - 1])}
        column.sort(key=lambda name: (_mean(_left(name, index, services, before)), _far(name, level)))
    return columns, passing


def _far(name: str, level: Mapping[str, int]) -> int:
    """Of lines that come from the same place, the one that goes farthest lies lowest, and crosses none of the others."""
    return level[name.split("\n")[1]] if "\n" in name else 0


def _left(name: str, index: int, services: Mapping[str, ServiceView], before: Mapping[str, float]) -> list[float]:
    """How far down in the column before is what this is joined to."""
    if name in services:
        joined = [each for each in before if each in services and name in direct_needs(each, services)]
        return [before[each] for each in [*joined, *(each for each in before if each.split("\n")[1:2] == [name])]]
    start = name.split("\n")[0]
    return [row for each, row in before.items() if each == start or each.rpartition("\n")[0] == name.rpartition("\n")[0]]


def _mean(rows: list[float]) -> float:
    return sum(rows) / len(rows) if rows else 0.5


def _line(start: _Box, through: list[_Box], end: _Box) -> str:
    x, y = start.x + start.width, start.middle
    drawn = f"M{x:.1f} {y:.1f}"
    for box in [*through, end]:
        bend = min(30.0, (box.x - x) / 2)
        drawn += f"C{x + bend:.1f} {y:.1f} {box.x - bend:.1f} {box.middle:.1f} {box.x:.1f} {box.middle:.1f}"
        x, y = box.x, box.middle
        if box is not end:
            x += box.width
            drawn += f"H{x:.1f}"
    return f'<path class="e" d="{drawn}"/>'


def _node(name: str, box: _Box, view: DeploymentView) -> str:
    look = service_look(view.services[name], view)
    return (
        f'<g><rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{box.x + 11:.1f}" y="{box.y + 18.5:.1f}">'
        f'<tspan class="{look.tone}">{look.icon}</tspan> {esc(name)}</text></g>'
    )

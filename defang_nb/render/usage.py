"""What services use, as a table with a small chart of the last minutes in each row: as text and as HTML."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from defang_nb.model.status import Usage
from defang_nb.render.markup import card, esc
from defang_nb.render.tables import Cell, Table

KEPT = 120
"""Samples that a chart shows: about two minutes."""
_LEAST = 5
"""Samples that a small chart must have before it is shown."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_SHOWN = 20
"""Samples of a chart that is text."""
_WIDTH, _HEIGHT = 160, 28
_WINDOWS = (30, 60, KEPT)
"""Samples that a chart has room for, at least: one that has few does not look empty."""


class History:
    """The last samples, by service and replica, in the order in which those were first seen."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.now: Sequence[Usage] = ()
        self._rows: dict[tuple[str, int], deque[Usage | None]] = {}
        self._count = 0

    def add(self, sample: Sequence[Usage]) -> None:
        """One that is not in a sample did not run then; one that ran in none of those that are kept is forgotten."""
        self.now = sample
        seen = {(each.service, each.replica): each for each in sample}
        for key in seen:
            self._rows.setdefault(key, deque([None] * min(self._count, KEPT - 1), maxlen=KEPT))
        for key, row in self._rows.items():
            row.append(seen.get(key))
        self._rows = {key: row for key, row in self._rows.items() if any(row)}
        self._count += 1

    def rows(self) -> Iterable[tuple[str, Sequence[Usage | None]]]:
        """Each replica's name (the service's alone, where it is the only one) and its samples, oldest first."""
        services = [service for service, _ in self._rows]
        for (service, replica), row in sorted(self._rows.items()):
            yield (f"{service}.{replica}" if services.count(service) > 1 else service), row


def usage_table(history: History, *, lines: bool = True) -> Table:
    """The present, and with `lines` the charts of the last seconds."""
    rows = []
    most = _most(history)
    for name, row in history.rows():
        now = row[-1]
        if now is None:
            rows.append((Cell(name), Cell("not running"), Cell(), Cell(), Cell(), Cell(), Cell()))
            continue
        cpu = _line(_cpu(row), most[0]) if lines else ""
        memory = _line(_bytes(row), most[1]) if lines else ""
        rows.append(
            (
                Cell(name), Cell(percent(now.cpu)), Cell(cpu), Cell(_memory(now)), Cell(memory), Cell(str(now.processes)),
                Cell(_traffic(now)),
            )
        )  # fmt: skip
    return Table(
        history.title, ("Service", "CPU", "", "Memory", "", "Processes", "Received / sent"), tuple(rows), empty="nothing runs"
    )


def usage_html(history: History) -> str:
    """The table with charts; each column has one scale, which its head tells."""
    most_cpu, most_memory = _most(history)
    heads = (
        "Service", f"CPU <small>to {percent(most_cpu)}</small>", f"Memory <small>to {size(most_memory)}</small>", "Processes",
        "Received / sent",
    )  # fmt: skip
    rows = []
    for name, row in history.rows():
        now = row[-1]
        cells = [
            _charted(percent(now.cpu) if now else "not running", _cpu(row), most_cpu, f"CPU of {name}"),
            _charted(_memory(now) if now else "", _bytes(row), most_memory, f"Memory of {name}"),
            esc(now.processes if now else ""),
            esc(_traffic(now) if now else ""),
        ]
        rows.append(f'<tr><th scope="row">{esc(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    traffic = any(each.received is not None for each in history.now)
    head = "".join(f'<th scope="col">{each}</th>' for each in (heads if traffic else heads[:-1]))
    body = "".join(rows if traffic else [row.replace("<td></td></tr>", "</tr>") for row in rows])
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    if not rows:
        table = '<div class="mute">nothing runs</div>'
    return card(f'<div class="body"><h4>{esc(history.title)}</h4>{table}</div>', history.title)


_SPARKS = (12, 24, 48)
"""Samples that a chart in a list of services has room for, at most."""
_SPARK_WIDTH, _SPARK_HEIGHT = 64, 16


def sparks(history: History, service: str) -> tuple[str, str]:
    """Two small charts of a service's CPU and memory, as HTML; on the scales that all services of the history share."""
    most = _most(history)
    row = [each for name, each in history.rows() if name == service][:1]
    if not row or sum(each is not None for each in row[0]) < _LEAST:
        return "", ""
    last = list(row[0])[-_SPARKS[-1] :]
    cpu, memory = (_spark(values, top) for values, top in zip((_cpu(last), _bytes(last)), most, strict=True))
    return cpu, memory


def percent(cores: float) -> str:
    """Of one core: `3.2 %`, `140 %`."""
    value = 100 * cores
    return f"{value:.1f} %" if value < 9.95 else f"{value:.0f} %"


def size(count: float) -> str:
    """`512 B`, `85 KiB`, `1.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1000 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if count >= 99.5 or unit == "B" else f"{count:.1f} {unit}"


def _memory(usage: Usage) -> str:
    return f"{size(usage.memory)} of {size(usage.limit)}" if usage.limit else size(usage.memory)


def _traffic(usage: Usage) -> str:
    return f"{size(usage.received)} / {size(usage.sent or 0)}" if usage.received is not None else ""


def _most(history: History) -> tuple[float, float]:
    """The tops of the two scales: what was used most, at least a tenth of a core and 16 MiB."""
    known = [each for _, row in history.rows() for each in row if each]
    return max([0.1, *(each.cpu for each in known)]), max([16 * 2**20, *(float(each.memory) for each in known)])


def _cpu(row: Sequence[Usage | None]) -> list[float | None]:
    return [None if each is None else each.cpu for each in row]


def _bytes(row: Sequence[Usage | None]) -> list[float | None]:
    return [None if each is None else float(each.memory) for each in row]


def _line(values: Sequence[float | None], most: float) -> str:
    return "".join(
        " " if each is None else _BLOCKS[min(len(_BLOCKS) - 1, int(each / most * len(_BLOCKS)))] for each in values[-_SHOWN:]
    ).lstrip()


def _charted(text: str, values: Sequence[float | None], most: float, label: str) -> str:
    """The words, and beside them a line of the last samples, with gaps where nothing ran."""
    room = next(each for each in _WINDOWS if len(values) <= each)
    drawn = "".join(_stroke(points, _HEIGHT) for points in _lines(values, most, room, _WIDTH, _HEIGHT))
    return (
        f'<div class="charted"><span class="keep">{esc(text)}</span><svg role="img" aria-label="{esc(label)}, now {esc(text)}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f'<path class="base" d="M0 {_HEIGHT - 1}H{_WIDTH}"/>{drawn}</svg></div>'
    )


def _spark(values: Sequence[float | None], most: float) -> str:
    """Decoration beside the number: whoever can't see it has that."""
    room = next(each for each in _SPARKS if len(values) <= each)
    drawn = "".join(_stroke(points, _SPARK_HEIGHT) for points in _lines(values, most, room, _SPARK_WIDTH, _SPARK_HEIGHT))
    size = f'width="{_SPARK_WIDTH}" height="{_SPARK_HEIGHT}" viewBox="0 0 {_SPARK_WIDTH} {_SPARK_HEIGHT}"'
    return f'<svg class="spark" aria-hidden="true" {size}>{drawn}</svg>'


def _lines(values: Sequence[float | None], most: float, room: int, width: int, height: int) -> list[list[str]]:
    """The points of each line, the latest at the right; a gap begins another one."""
    parts: list[list[str]] = [[]]
    for index, value in enumerate(values, room - len(values)):
        if value is None:
            parts.append([])
        else:
            y = height - 2 - (height - 4) * min(1.0, value / most)
            parts[-1].append(f"{index * width / (room - 1):.1f},{y:.1f}")
    return [points for points in parts if points]


def _stroke(points: Sequence[str], height: int) -> str:
    """A line, and lightly what is below it."""
    shown = [*points, points[-1]] if len(points) == 1 else points
    (left, _, _), (right, _, _) = shown[0].partition(","), shown[-1].partition(",")
    below = f"{left},{height - 1} {' '.join(shown)} {right},{height - 1}"
    return f'<polygon class="area" points="{below}"/><polyline class="line" points="{" ".join(shown)}"/>'

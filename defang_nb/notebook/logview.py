"""Service logs in a notebook: a bounded ring of lines in one display, a few updates a second however much is written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from defang_nb.model.view import Log, clipped
from defang_nb.notebook import frontend
from defang_nb.notebook.painter import CellPainter, Painter
from defang_nb.notebook.slot import Slot
from defang_nb.render.logs import log_pre
from defang_nb.render.markup import card
from defang_nb.render.words import clean

if TYPE_CHECKING:
    from defang_nb.model.status import LogRecord

PAUSE = 0.5


class LogView:
    """Keeps the last `most` lines; how many came before is told."""

    def __init__(self, most: int) -> None:
        self._lines: deque[str] = deque(maxlen=most)
        self._count = 0
        self._lock = threading.Lock()
        self._slot = Slot()

    def run(self, records: Iterable[LogRecord], *, follow: bool) -> None:
        """Read `records` to their end. With `follow` lines show as they come; an interrupt ends that, and is no failure."""
        if not follow:
            for record in records:
                self._add(record)
            self._slot.show_bundle(self._bundle())
            return
        self._slot.show_bundle(self._bundle())
        painter = (Painter if frontend.repaints_by_threads() else CellPainter)(self._paint, self._paint, pause=PAUSE)
        painter.start()
        try:
            for record in records:
                self._add(record)
                painter.poke()
                painter.step()
        except KeyboardInterrupt:
            return
        finally:
            painter.end()
            painter.join(5.0)

    def _add(self, record: LogRecord) -> None:
        with self._lock:
            self._count += 1
            self._lines.append(f"{record.source} | {clean(clipped(record.line))}")

    def _paint(self) -> None:
        self._slot.replace(self._bundle())

    def _bundle(self) -> dict[str, str]:
        with self._lock:
            log = Log(lines=tuple(self._lines), dropped=self._count - len(self._lines))
        text = "\n".join(log.lines) if log.lines else "no lines"
        note = f"… {log.dropped} lines dropped\n" if log.dropped else ""
        inner = log_pre(log, "Service logs") if log.lines else '<div class="body mute">no lines</div>'
        return {"text/html": card(inner, "Service logs"), "text/plain": note + text}

"""A deployment drawn in one HTML widget, until it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from defang_nb.notebook.painter import Painter
from defang_nb.render.html import render_html
from defang_nb.render.markup import Link

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment

PAUSE = 0.25


class Painted:
    """Draws it from now on. `over` is called when it has ended, or is shown no more: with its last view, or the one of then."""

    def __init__(self, deployment: Deployment, html: Any, link: Link, over: Callable[[], None]) -> None:
        self._deployment, self._html, self._link, self._over = deployment, html, link, over
        self._gone = threading.Event()
        self._painter = Painter(self._paint, self._paint_last, pause=PAUSE)
        self._painter.start()
        self._end = deployment.subscribe(lambda view, event: self._painter.poke())
        deployment.when_over(self._painter.end)

    def leave(self) -> None:
        """Something else is to be shown in its place. The deployment goes on."""
        self._gone.set()
        self._end()
        self._painter.end()
        self._painter.join(5.0)

    def _paint(self) -> None:
        if not self._gone.is_set():
            now = time.time()
            self._html.value = render_html(self._deployment.view, now=now, link=self._link, left=self._deployment.left(now))

    def _paint_last(self) -> None:
        if not self._gone.is_set():
            self._paint()
            self._end()
            self._over()

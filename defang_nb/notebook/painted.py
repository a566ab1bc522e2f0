"""A deployment's card in a place of another widget, until it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from defang_nb.notebook.card import Card
from defang_nb.notebook.painter import Painter
from defang_nb.render.markup import Link

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment

PAUSE = 0.25


class Painted:
    """Draws it from now on. `over` is called when it has ended, or is shown no more: with its last view, or the one of then."""

    def __init__(self, deployment: Deployment, link: Link, over: Callable[[], None]) -> None:
        self._deployment, self._over = deployment, over
        self._card = Card(link)
        self._gone = threading.Event()
        self._painter = Painter(self._paint, self._paint_last, pause=PAUSE)
        self._painter.start()
        self._end = deployment.subscribe(lambda view, event: self._painter.poke())
        deployment.when_over(self._painter.end)

    @property
    def widget(self) -> Any:
        return self._card.widget

    def leave(self) -> None:
        """Something else is to be shown in its place. The deployment goes on."""
        self._gone.set()
        self._end()
        self._painter.end()
        self._painter.join(5.0)
        self._card.close()

    def _paint(self) -> float | None:
        if self._gone.is_set():
            return None
        now = time.time()
        return self._card.paint(self._deployment.view, now, self._deployment.left(now))

    def _paint_last(self) -> None:
        """With what its pace holds back: nothing comes after this."""
        while (wait := self._paint()) and not self._gone.wait(wait):
            ...
        if not self._gone.is_set():
            self._end()
            self._over()

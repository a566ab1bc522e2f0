"""A deployment drawn in one HTML widget, until it is over."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from defang_nb.notebook.painter import Painter
from defang_nb.render.html import render_html
from defang_nb.render.markup import Link

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment

PAUSE = 0.25


def paint_until_over(deployment: Deployment, html: Any, link: Link) -> None:
    """Blocks until it is over; `html.value` is then its last view. Not for the thread of a cell."""
    over = threading.Event()

    def paint() -> None:
        now = time.time()
        html.value = render_html(deployment.view, now=now, link=link, left=deployment.left(now))

    painter = Painter(paint, paint, pause=PAUSE)
    painter.start()
    end = deployment.subscribe(lambda view, event: painter.poke())
    deployment.when_over(over.set)
    over.wait()
    end()
    painter.end()
    painter.join(5.0)

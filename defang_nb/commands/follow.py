"""A deployment's story as it is told, for a caller that reads it in its own thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from defang_nb.model.view import DeploymentView, reduce

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment
    from defang_nb.model.events import Event

TURN = 0.25
"""Seconds between looks around while nothing is told: so soon an interrupt is answered where signals can't wake a wait."""


def told(deployment: Deployment, *, detach: bool = False) -> Iterator[tuple[DeploymentView, Event]]:
    """Every event from the first on, each with the view after it, until it is over (or, to `detach`, goes on by itself)."""
    news = threading.Event()
    stop = deployment.subscribe(lambda view, event: news.set())
    view: DeploymentView | None = None
    read = 0
    try:
        while True:
            over = deployment.done or (detach and deployment.accepted)
            news.clear()
            events = deployment.events[read:]
            for event in events:
                read += 1
                if event.sequence > 0:
                    view = reduce(view or DeploymentView(id=event.deployment), event)
                yield (view if view and event.sequence > 0 else deployment.view), event
            if over and not events:
                return
            if not over:
                news.wait(TURN)
    finally:
        stop()

"""A deployment's story as it is told, for a caller that reads it in its own thread."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from defang_nb.model.view import DeploymentView, reduce

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment
    from defang_nb.model.events import Event

TURN = 0.25
"""Seconds between looks around while nothing is told: so soon an interrupt is answered where signals can't wake a wait."""

Told = tuple[DeploymentView, "Event"]


def told(deployment: Deployment, *, detach: bool = False) -> Iterator[Told]:
    """Every event from the first on, each with the view after it, until it is over (or, to `detach`, goes on by itself).

    The workspace's own events (sequence 0) come in between, where they happened while somebody looked.
    """
    news: SimpleQueue[Told | None] = SimpleQueue()
    stop = deployment.subscribe(lambda view, event: news.put((view, event)))
    deployment.when_over(lambda: news.put(None))
    heard = False
    story = _Story(deployment)
    try:
        while True:
            over = deployment.done or (detach and deployment.accepted)
            try:
                # Once it is over, and the subscription has begun, nothing more comes that would have to be waited for.
                item = news.get(timeout=0 if heard and deployment.done else TURN)
            except Empty:
                yield from story.unread()
                if over:
                    return
                continue
            yield from story.unread()
            if item is not None:
                heard = True
                if item[1].sequence == 0:
                    yield item
    finally:
        stop()


class _Story:
    """The numbered events, each read once and folded, so that each comes with the view of its own moment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._view = DeploymentView(id=deployment.id)
        self._read = 0

    def unread(self) -> Iterator[Told]:
        for event in self._deployment.events[self._read :]:
            self._read += 1
            self._view = reduce(self._view, event)
            yield self._view, event

"""A workspace that tells a made-up story: `Deployment` needs no more of one than this."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast

from defang_nb.client.deployment import Deployment, Start
from defang_nb.model.events import Event
from defang_nb.model.pace import Pace, Usual
from defang_nb.model.view import DeploymentView


class Replay:
    """Tells `events`; before the one numbered `pause` it waits for `go_on` (or a cancel)."""

    def __init__(self, events: Sequence[Event], *, pause: int | None = None) -> None:
        self.events = events
        self.pause = pause
        self.known = Pace()
        self.usual: Mapping[str, Usual] = {}
        self.cancelled: list[str] = []
        self.go_on = threading.Event()

    async def follow(self, project: str, deployment: str, at: int = 1) -> AsyncGenerator[Event, None]:
        for event in self.events:
            if event.sequence == self.pause:
                await asyncio.to_thread(self.go_on.wait, 30)
            yield event

    async def pace(self, project: str, deployment: str) -> Pace:
        return self.known

    async def cancel(self, deployment: str) -> None:
        self.cancelled.append(deployment)
        self.go_on.set()


def deployment(replay: Replay, start: Start | None = None) -> Deployment:
    first = replay.events[0]
    return Deployment(cast(Any, replay), DeploymentView(id=first.deployment, project="shop", stack="local"), start)

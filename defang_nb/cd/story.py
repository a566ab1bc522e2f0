"""A deployment's story while it is being told: numbered, timed, stored, then shown to whoever follows.

An event is stored before anyone sees it, so what a person saw is never missing later. Batches keep that cheap: the first
event of a quiet time is stored at once, what follows within `GATHER` seconds goes into one object, and a change of stage
waits for no more than `HURRY`: the first steps go with their plan.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from defang_nb.cd.pending import FLOOD, Pending
from defang_nb.errors import DefangError
from defang_nb.model.events import DeploymentSummary, Event, Finished, Outcome, Payload, StageChanged
from defang_nb.providers.history import History
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock

GATHER, GATHER_MANY = 0.1, 0.3
"""Seconds for which events are gathered into one stored object: the longer where there are many of them."""

HURRY = 0.05
"""Seconds for which a change of stage waits for what comes with it."""

REMEMBERED = 1000
"""So many events are held in memory; who follows from an earlier one reads those from the store."""

_log = logging.getLogger(__name__)


class Story:
    """`tell` adds to it, from the loop's thread; `finish` ends it, exactly once; `follow` gives it from any point on."""

    def __init__(
        self, history: History, summary: DeploymentSummary, *, events: list[Event], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.summary = summary
        self._history = history
        self._clock = clock
        self._shown = events[-REMEMBERED:]
        self._pending = Pending()
        self._sequence = events[-1].sequence if events else 0
        self._hurry = asyncio.Event()
        self._more = asyncio.Condition()
        self._over = False
        self._missed: int | None = None
        self._noted = False
        self._keeper: asyncio.Task[None] | None = None

    def tell(self, payload: Payload) -> None:
        """Add to the story; never blocks. What comes after the end is dropped."""
        if self._over:
            _log.debug("told after the end: %r", payload)
            return
        self._add(payload)
        if isinstance(payload, StageChanged):
            self._hurry.set()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())

    async def finish(self, finished: Finished) -> None:
        """End it, unless it is over: store all there is, note the outcome in the index, then show it."""
        if self._over:
            return
        self._add(finished)
        self._over = True
        self._hurry.set()
        if self._keeper is not None:
            await self._keeper
        last = await self._store()
        await self._note_end(last)
        await self._show()

    @property
    def kept(self) -> bool:
        """Whether all of it is in the store."""
        return self._missed is None and self._noted

    async def keep_again(self) -> None:
        """After its end: store what the store did not take before, as far as it is still in memory."""
        if self._missed is not None:
            missed = [event for event in self._shown if event.sequence >= (self._missed or 0)]
            if await self._append(missed):
                self._missed = None
        if self._missed is None and not self._noted:
            await self._note_end(self._shown[-1])

    async def _note_end(self, last: Event) -> None:
        try:
            await self._history.end(self.summary, last)
            self._noted = True
        except Exception:  # noqa: BLE001  # edge: the end must reach the watchers even when the store broke
            _log.exception("could not note the end of %s", self.summary.id)

    async def follow(self, from_sequence: int) -> AsyncIterator[Sequence[Event]]:
        """The events from a sequence number on, those to come too, as many at a time as there are; ends after `Finished`."""
        at = max(1, from_sequence)
        while True:
            async with self._more:
                while not self._ended and self._last_shown < at:
                    await self._more.wait()
            if at < self._first_shown:
                begun = at
                async for event in self._earlier(at, self._first_shown):
                    yield [event]
                    at = event.sequence + 1
                if at > begun:
                    continue  # in the meantime, memory may have moved on
                at = self._first_shown  # what a broken store did not take, and memory does not hold, is lost
            fresh = self._shown[at - self._first_shown :]
            if fresh:
                yield fresh
            at += len(fresh)
            if self._ended and self._last_shown < at:
                return

    async def _earlier(self, at: int, end: int) -> AsyncIterator[Event]:
        """Stored events from `at` on, up to `end`, which is held in memory."""
        try:
            async for event in self._history.each_event(self.summary.project, self.summary.id, at):
                if event.sequence >= end:
                    return
                yield event
        except DefangError:
            _log.exception("could not read the events of %s", self.summary.id)

    @property
    def _first_shown(self) -> int:
        return self._shown[0].sequence if self._shown else 1

    @property
    def _last_shown(self) -> int:
        return self._shown[-1].sequence if self._shown else 0

    @property
    def over(self) -> bool:
        return self._over

    @property
    def _ended(self) -> bool:
        return bool(self._shown) and isinstance(self._shown[-1].payload, Finished)

    def _add(self, payload: Payload) -> None:
        if self._pending.join(payload):
            return
        self._sequence += 1
        time = max(self._clock.now(), self._last_time())
        self._pending.add(Event(deployment=self.summary.id, sequence=self._sequence, time=time, payload=payload))

    def _last_time(self) -> float:
        last = self._pending.last or (self._shown[-1] if self._shown else None)
        return last.time if last else 0.0

    async def _keep(self) -> None:
        """Store and show what is pending, until there is nothing more (or `finish` takes over)."""
        while self._pending and not self._over:
            await self._store()
            many = await self._show() > FLOOD
            if await self._hurried(GATHER_MANY if many else GATHER) and not self._over:
                await self._hurried(HURRY)

    async def _hurried(self, most: float) -> bool:
        """Wait for so many seconds; whether something came before that can't wait."""
        try:
            async with asyncio.timeout(most):
                await self._hurry.wait()
        except TimeoutError:
            return False
        self._hurry.clear()
        return True

    async def _store(self) -> Event:
        """The last one that was stored."""
        batch = self._pending.take()
        if not await self._append(batch) and self._missed is None:
            self._missed = batch[0].sequence
        return batch[-1]

    async def _append(self, batch: list[Event]) -> bool:
        try:
            await self._history.append(self.summary.project, self.summary.id, batch)
        except Exception:  # noqa: BLE001  # edge: a full disk must not keep people from seeing why it failed
            _log.exception("could not store %d events of %s", len(batch), self.summary.id)
            return False
        return True

    async def _show(self) -> int:
        """How many there are to see more."""
        async with self._more:
            stored = self._pending.drop()
            self._shown += stored
            del self._shown[:-REMEMBERED]
            self._more.notify_all()
            return len(stored)


async def close_abandoned(history: History, summary: DeploymentSummary, clock: Clock = SYSTEM_CLOCK) -> None:
    """End the story of a deployment whose cd is gone, where that cd could not do it any more."""
    events = await history.events(summary.project, summary.id)
    if events and isinstance(events[-1].payload, Finished):
        await history.end(summary, events[-1])
        return
    story = Story(history, summary, events=events, clock=clock)
    await story.finish(
        Finished(
            outcome=Outcome.FAILED,
            message="cd was ended before this deployment was over",
            hint="run `up` again: it continues from where this one stopped",
        )
    )

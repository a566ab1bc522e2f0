"""Waiting until what was made is ready, with as few questions as possible.

A type that can be asked about many at once is asked about all of its resources that wait, in one read a round. A resource is
asked about soon after it was made, and more and more rarely: what takes minutes is not asked for every half second.
Near to the time that its type usually takes it is asked about more often again, so that of waits that follow each other none is
much longer than it has to be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from defang_nb.errors import DefangError
from defang_nb.model.value import Json
from defang_nb.provision.calls import call
from defang_nb.provision.clock import Clock
from defang_nb.provision.ports import Made, Operation, Polled, ResourceType, Timed, Waiting

FIRST, LONGEST = 0.5, 5.0
"""Seconds between two questions about a resource, at first and at most."""
_GROWTH = 1.6


class Readiness:
    """Of one deployment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rooms: dict[str, _Room] = {}

    async def wait(self, type_: ResourceType, operation: Operation, made: Made) -> Mapping[str, Json]:
        """The final outputs, once it is ready. Raises `DefangError` when it never will be."""
        if not isinstance(type_, Polled):
            return await call(lambda: type_.ready(operation, made), self._clock)
        if type_.name not in self._rooms:
            self._rooms[type_.name] = _Room(type_, self._clock)
        return await self._rooms[type_.name].wait(operation, made)


class _Guest(msgspec.Struct):
    """One that waits: when it is to be asked about next, and how long after that again."""

    operation: Operation
    made: Made
    since: float
    due: float
    pause: float
    answer: asyncio.Future[Mapping[str, Json]]


class _Room:
    """All that wait of one type. Whoever is there asks, for all; when none is there nobody does."""

    def __init__(self, type_: Polled, clock: Clock) -> None:
        self._type = type_
        self._clock = clock
        self._typical = type_.typical if isinstance(type_, Timed) else 0.0
        self._guests: dict[str, _Guest] = {}
        self._asking: asyncio.Task[None] | None = None

    async def wait(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        now, urn = self._clock.now(), operation.resource.urn
        answer: asyncio.Future[Mapping[str, Json]] = asyncio.get_running_loop().create_future()
        guest = _Guest(operation, made, since=now, due=now + FIRST, pause=FIRST, answer=answer)
        self._guests[urn] = guest
        if self._asking is None or self._asking.done() or self._asking.cancelling():
            self._asking = asyncio.create_task(self._ask())
        try:
            return await answer
        finally:
            if self._guests.get(urn) is guest:
                del self._guests[urn]
            if not self._guests and self._asking is not None:
                self._asking.cancel()

    async def _ask(self) -> None:
        while self._guests:
            now = self._clock.now()
            soonest = min(each.due for each in self._guests.values())
            if soonest > now:  # at most for `FIRST`: who comes meanwhile is due no sooner than that
                await self._clock.sleep(min(FIRST, soonest - now))
                continue
            await self._round()

    async def _round(self) -> None:
        guests = list(self._guests.values())
        now = self._clock.now()
        waiting = [Waiting(operation=each.operation, made=each.made, seconds=now - each.since) for each in guests]
        answers: Mapping[str, Mapping[str, Json] | DefangError]
        try:
            answers = await call(lambda: self._type.poll_many(waiting), self._clock)
        except DefangError as error:
            answers = {each.operation.resource.urn: error for each in guests}
        for guest in guests:
            found = answers.get(guest.operation.resource.urn)
            guest.pause = self._pause(guest.pause, self._clock.now() - guest.since)
            guest.due = self._clock.now() + guest.pause
            if guest.answer.done() or found is None:
                continue
            self._guests.pop(guest.operation.resource.urn, None)
            if isinstance(found, DefangError):
                guest.answer.set_exception(found)
            else:
                guest.answer.set_result(found)

    def _pause(self, before: float, waited: float) -> float:
        """Seconds until one is asked about again that was asked after `before` seconds, and has waited for so many."""
        grown = min(LONGEST, before * _GROWTH)
        return max(FIRST, min(grown, abs(self._typical - waited) / 2)) if self._typical else grown

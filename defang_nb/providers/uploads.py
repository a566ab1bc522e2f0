"""Archives that are packed and sent to the stack's store while cd is at work: who does that says so, and cd waits for them.

The sender's note changes for as long as it is at work. No clock is compared: one that stays the same for long has no sender, or
one that sleeps, as laptops do; that is no harm for as long as something else is at work too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from defang_nb.errors import BuildError, DefangError
from defang_nb.model.events import Payload, StepFinished, StepStarted
from defang_nb.model.resource import Resource
from defang_nb.providers.base import Say
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.ports import Emit, ObjectStore

BEAT = 5.0
"""Seconds between two changes of a note."""
_SILENCE = 12 * BEAT
_FIRST, _LONGEST = 0.1, 3.0
GONE, AGAIN = "a build context was not uploaded: who was at it is gone", "run `up` again: what was uploaded stays"


class Failure(msgspec.Struct, frozen=True):
    """Why something does not come, and what to do about it."""

    message: str
    hint: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """`beat` counts up; `failures` are the keys of what will not come."""

    beat: int = 0
    failures: Mapping[str, Failure] = {}


_NOTES = "uploads/"


def note_key(deployment: str) -> str:
    return f"{_NOTES}{deployment}"


async def tell(store: ObjectStore, deployment: str, note: Note) -> None:
    await store.put(note_key(deployment), msgspec.json.encode(note))


async def sweep(store: ObjectStore, running: Callable[[], Awaitable[Collection[str]]]) -> None:
    """Delete the notes of who died, with the cd that waited. Who is at work all the same puts another one soon.

    `running` tells the deployments that go on; it is asked only where there are notes.
    """
    if notes := await store.list(_NOTES):
        kept = {note_key(each) for each in await running()}
        for key in notes:
            if key not in kept:
                await store.delete(key)


class Arrivals:
    """What one deployment waits for. Who waits looks together: one round of questions at a time, more and more rarely."""

    def __init__(
        self, store: ObjectStore, deployment: str, keys: Collection[str], say: Say, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """`say` hears what is waited for, and "" when that is over."""
        self._store = store
        self._deployment = deployment
        self._keys = keys
        self._missing = set(keys)
        self._failures: Mapping[str, Failure] = {}
        self._say = say
        self._clock = clock
        self._pause = self._silent = 0.0
        self._heard: Note | None = None
        self._said = ""
        self._working: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    def hearing(self, emit: Emit) -> Emit:
        """`emit`, through which is known what is at work."""

        def hear(payload: Payload) -> None:
            if isinstance(payload, StepStarted):
                self._working.add(payload.urn)
            elif isinstance(payload, StepFinished):
                self._working.discard(payload.urn)
            emit(payload)

        return hear

    async def of(self, resource: Resource) -> None:
        """Wait for what a resource's inputs name. Raises `BuildError` when that does not come, and `ProviderError`."""
        if not self._missing:
            return
        inputs = msgspec.json.encode(resource.inputs)
        keys = {key for key in self._missing if key.encode() in inputs}
        while waited := self._missing & keys:
            if failed := [self._failures[key] for key in sorted(waited) if key in self._failures]:
                raise BuildError(failed[0].message, hint=failed[0].hint)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)

    async def end(self) -> None:
        """Nobody waits any more: the sender's note goes, in case that its sender has gone."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._keys:
            with contextlib.suppress(DefangError):
                await self._store.delete(note_key(self._deployment))

    async def _look(self) -> None:
        await self._clock.sleep(self._pause)
        for key in sorted(self._missing):
            if await self._store.list(key):
                self._missing.discard(key)
        note = await self._note() if self._missing else None
        self._failures = note.failures if note else self._failures
        if self._missing <= self._failures.keys():
            self._tell("")
            return
        self._silent = self._silent + self._pause if note == self._heard else 0.0
        asleep = self._silent > _SILENCE
        if asleep and not self._working:
            raise BuildError(GONE, hint=AGAIN)
        self._tell("uploading build contexts" + (": who is at it has been silent for a while" if asleep else ""))
        self._heard, self._pause = note, min(_LONGEST, max(_FIRST, self._pause * 1.5))

    def _tell(self, detail: str) -> None:
        if detail != self._said:
            self._said = detail
            self._say(detail)

    async def _note(self) -> Note | None:
        found = await self._store.get(note_key(self._deployment))
        return msgspec.json.decode(found.data, type=Note) if found else None

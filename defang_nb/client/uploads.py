"""What a deployment's builds need and the stack's store lacks: packed and sent from here, beside all else that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from defang_nb.errors import BuildError, DefangError, ProviderError
from defang_nb.providers.base import Say
from defang_nb.providers.uploads import AGAIN, BEAT, GONE, Failure, Note, note_key, tell

if TYPE_CHECKING:
    from defang_nb.build import Packed
    from defang_nb.provision.ports import ObjectStore

T = TypeVar("T")

_AT_ONCE = 8
"""So many are packed and sent at once: fewer than a store has threads, or the note could not be kept fresh."""
_LEAVING = 3.0
"""Seconds for who leaves to say so."""


class Uploads:
    """Of one deployment. `begin`, then `unsent` tells what is still to come; `end` always, whatever happened."""

    def __init__(self, store: ObjectStore, deployment: str, *, for_kaniko: bool) -> None:
        """`for_kaniko`: the builder fetches contexts from the store by itself."""
        self._store = store
        self._deployment = deployment
        self._for_kaniko = for_kaniko
        self._scratch = contextlib.ExitStack()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._given_up = threading.Event()
        self._each: dict[str, asyncio.Task[None]] = {}
        self._beating: asyncio.Task[None] | None = None

    async def begin(self, prepared: Sequence[Packed], say: Say) -> None:
        """Pack and send what is lacking; that goes on by itself. Raises `BuildError` and `ProviderError` before it does."""
        wanted = {each.key: each for each in prepared}
        held = await asyncio.gather(*(self._store.list(key) for key in wanted))
        lacking = [each for each, found in zip(wanted.values(), held, strict=True) if not found]
        if not lacking:
            return
        say(_described(lacking))
        folder = self._folder()
        await tell(self._store, self._deployment, Note())
        self._each = {each.key: asyncio.create_task(self._send(each, folder / Path(each.key).name)) for each in lacking}
        self._beating = asyncio.create_task(self._beat())

    async def unless_failed(self, doing: asyncio.Task[T]) -> T:
        """What `doing` gives. Raises at once what something can't be packed or sent for, where that comes first."""
        waited: set[asyncio.Task[Any]] = {doing, *self._each.values()}
        while not doing.done():
            done, waited = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        return doing.result()

    @property
    def unsent(self) -> tuple[str, ...]:
        """The keys of what is not there yet."""
        return tuple(key for key, task in self._each.items() if not _well(task))

    async def sent(self) -> bool:
        """Wait until all is; False when something will not be, which cd tells by the note."""
        await asyncio.gather(*self._each.values(), return_exceptions=True)
        return not self.unsent

    async def leave(self) -> None:
        """What is not sent by now is not sent any more, and cd need not wait for it."""
        await self._stop()
        with contextlib.suppress(DefangError, TimeoutError):
            failures = {key: Failure(GONE, AGAIN) for key in self.unsent} | self._failures()
            await asyncio.wait_for(tell(self._store, self._deployment, Note(failures=failures)), _LEAVING)

    async def end(self) -> None:
        """The deployment is over: what is not sent by now is not sent any more."""
        await self._stop()
        if self._beating is not None:
            with contextlib.suppress(DefangError):
                await self._store.delete(note_key(self._deployment))
        self._scratch.close()

    async def _stop(self) -> None:
        self._given_up.set()
        at_work = [*self._each.values(), *([self._beating] if self._beating else [])]
        for each in at_work:
            each.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)

    def _folder(self) -> Path:
        try:
            made = tempfile.TemporaryDirectory(prefix="defang-nb-", ignore_cleanup_errors=True)
        except OSError as error:
            hint = "make room, or name another folder in TMPDIR"
            raise BuildError(f"there is no place to pack build contexts in: {error.strerror}", hint=hint) from error
        return Path(self._scratch.enter_context(made))

    async def _send(self, each: Packed, path: Path) -> None:
        from defang_nb.build import archive

        async with self._turns:
            for_kaniko = each.for_builder and self._for_kaniko
            await asyncio.to_thread(archive, each.manifest, path, for_kaniko=for_kaniko, given_up=self._given_up)
            try:
                await self._store.upload(each.key, path)
            except ProviderError as error:
                what = f"the {'build context' if each.for_builder else 'folder'} {each.manifest.context}"
                raise ProviderError(f"{what} could not be uploaded: {error.message}", hint=error.hint or AGAIN) from error
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _beat(self) -> None:
        """Tell that this is at work, and at once what has failed: again and again, since telling may fail too."""
        for beat in itertools.count(1):
            if at_work := [each for each in self._each.values() if not each.done()]:
                await asyncio.wait(at_work, timeout=BEAT, return_when=asyncio.FIRST_EXCEPTION)
            elif self.unsent:
                await asyncio.sleep(BEAT)
            else:
                return
            with contextlib.suppress(DefangError):  # the next one may get through
                await tell(self._store, self._deployment, Note(beat=beat, failures=self._failures()))

    def _failures(self) -> dict[str, Failure]:
        failed = {key: task.exception() for key, task in self._each.items() if task.done() and not task.cancelled()}
        return {key: _failure(error) for key, error in failed.items() if error is not None}


def _well(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _failure(error: BaseException) -> Failure:
    if isinstance(error, DefangError):
        return Failure(error.message, error.hint)
    return Failure(f"internal error: {type(error).__name__}: {error}", "please report it")


def _described(lacking: Sequence[Packed]) -> str:
    size = sum(each.manifest.size for each in lacking)
    contexts = sum(each.for_builder for each in lacking)
    counted = (("build context", contexts), ("folder", len(lacking) - contexts))
    what = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in counted if count]
    return f"uploading {' and '.join(what)} ({size / 2**20:.1f} MiB)"

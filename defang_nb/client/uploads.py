"""What a deployment's builds need and the stack's store lacks: packed here, and sent beside all else that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from defang_nb.errors import DefangError
from defang_nb.providers.base import Say
from defang_nb.providers.uploads import BEAT, Note, note_key, tell

if TYPE_CHECKING:
    from defang_nb.build import Packed
    from defang_nb.provision.ports import ObjectStore

_SOON = 0.5
"""Seconds that a deployment waits for its uploads before it begins without them: most are done by then."""


class Uploads:
    """Of one deployment. `pack`, `begin`, then `unsent` tells what is still to come; `end` always, whatever happened."""

    def __init__(self, store: ObjectStore, deployment: str, *, for_kaniko: bool) -> None:
        """`for_kaniko`: the builder fetches contexts from the store by itself."""
        self._store = store
        self._deployment = deployment
        self._for_kaniko = for_kaniko
        self._scratch = contextlib.ExitStack()
        self._packed: dict[str, Path] = {}
        self._sending: asyncio.Task[None] | None = None

    async def pack(self, prepared: Sequence[Packed], say: Say) -> None:
        """Archive what is lacking. Raises `BuildError` for what can't be packed, `ProviderError`, before anything is sent."""
        wanted = {each.key: each for each in prepared}
        held = await asyncio.gather(*(self._store.list(key) for key in wanted))
        lacking = [each for each, found in zip(wanted.values(), held, strict=True) if not found]
        if not lacking:
            return
        say(_described(lacking))
        folder = Path(self._scratch.enter_context(tempfile.TemporaryDirectory(prefix="defang-nb-", ignore_cleanup_errors=True)))
        await _all([self._archive(each, folder) for each in lacking])

    async def begin(self) -> None:
        """Send what was packed; that goes on by itself."""
        if self._packed:
            await tell(self._store, self._deployment, Note())
            self._sending = asyncio.create_task(self._send())

    async def unsent(self) -> tuple[str, ...]:
        """The keys of what is not sent yet, though there was a moment for it. Raises what sending failed with."""
        if self._sending is None:
            return ()
        done, _ = await asyncio.wait({self._sending}, timeout=_SOON)
        if done:
            self._sending.result()
        return tuple(self._packed)

    async def sent(self) -> bool:
        """Wait until all is; False when it failed, which cd tells by the note."""
        if self._sending is not None:
            await asyncio.wait({self._sending})
            return not self._sending.cancelled() and self._sending.exception() is None
        return True

    async def end(self) -> None:
        """What is not sent by now is not sent any more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            with contextlib.suppress(DefangError):
                await self._store.delete(note_key(self._deployment))
        self._scratch.close()

    async def _archive(self, each: Packed, folder: Path) -> None:
        from defang_nb.build import archive

        path = folder / Path(each.key).name
        await asyncio.to_thread(archive, each.manifest, path, for_kaniko=each.for_builder and self._for_kaniko)
        self._packed[each.key] = path

    async def _send(self) -> None:
        beating = asyncio.create_task(self._beat())
        try:
            await _all([self._send_one(key, path) for key, path in self._packed.items()])
        except DefangError as error:
            beating.cancel()
            with contextlib.suppress(DefangError):
                await tell(self._store, self._deployment, Note(failed=error.message, hint=error.hint))
            raise
        finally:
            beating.cancel()

    async def _send_one(self, key: str, path: Path) -> None:
        await self._store.upload(key, path)
        del self._packed[key]

    async def _beat(self) -> None:
        beat = 0
        while True:
            await asyncio.sleep(BEAT)
            beat += 1
            with contextlib.suppress(DefangError):  # the next one may get through
                await tell(self._store, self._deployment, Note(beat=beat))


async def _all(doing: Sequence[Awaitable[None]]) -> None:
    """Do all, to their ends; the first failure is raised then."""
    for result in await asyncio.gather(*doing, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _described(lacking: Sequence[Packed]) -> str:
    size = sum(each.manifest.size for each in lacking)
    contexts = sum(each.for_builder for each in lacking)
    counted = (("build context", contexts), ("folder", len(lacking) - contexts))
    what = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in counted if count]
    return f"uploading {' and '.join(what)} ({size / 2**20:.1f} MiB)"

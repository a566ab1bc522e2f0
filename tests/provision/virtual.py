"""Virtual time: an event loop whose clock jumps to the next thing that is due as soon as nothing is ready."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from defang_nb.provision.clock import Clock


class NothingWillEverHappenError(Exception):
    """Somebody waits for what nobody will do: a deadlock."""


class _Jumping(selectors.BaseSelector):
    """Never waits: what it was asked to wait has passed when it answers."""

    def __init__(self) -> None:
        self.now = 0.0
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._real.select(0)
        if not found:
            if timeout is None:
                raise NothingWillEverHappenError
            self.now += max(timeout, 0.0)
        return found

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """For what needs no threads, sockets or processes. `time()` begins at 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class LoopClock(Clock):
    """The loop's time as seconds since the epoch, as a machine would tell it whose clock is `skew` seconds fast."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew

    def now(self) -> float:
        return 1_000_000.0 + self.skew + asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

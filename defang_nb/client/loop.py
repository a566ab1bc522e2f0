"""The engine's thread: one daemon thread with an event loop of its own, on which all asynchronous work of this process runs.

A kernel's main thread may run a loop already, and an interrupt must answer at once; so callers block on a plain future here,
and never await. Made when it is first needed; a forked child makes its own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def submit(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start `work` on the engine's thread."""
    return asyncio.run_coroutine_threadsafe(work, _loop(os.getpid()))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Start `work` and wait for its result; a KeyboardInterrupt ends the waiting at once, and cancels the work."""
    future = submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def call_soon(function: Any, *arguments: object) -> None:
    """Have `function` called on the engine's thread."""
    _loop(os.getpid()).call_soon_threadsafe(function, *arguments)


def iterate(items: AsyncGenerator[T, None]) -> Iterator[T]:
    """The items of an asynchronous generator, one by one, from any thread; closing this one closes that one."""
    end, at_work = object(), asyncio.Lock()

    async def step() -> object:
        async with at_work:
            return await anext(items, end)

    async def close() -> None:
        async with at_work:  # a step that was interrupted ends in its own time, and nothing may close the items under it
            await items.aclose()

    try:
        while (item := run(step())) is not end:
            yield item  # type: ignore[misc]
    finally:
        run(close())


@functools.lru_cache(maxsize=1)
def _loop(pid: int) -> asyncio.AbstractEventLoop:
    """The loop of this process; `pid` makes a forked child, which has no copy of the thread, start its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=_turn, args=(loop,), name="defang-nb-engine", daemon=True).start()
    return loop


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()

"""Calls to resource types: tried again when that may help, and failing with nothing but `DefangError`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from defang_nb.errors import DefangError, ProviderError
from defang_nb.provision.clock import Clock
from defang_nb.provision.ports import TransientError

T = TypeVar("T")

ATTEMPTS = 6
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0


class StoppedError(Exception):
    """What was waited for was given up, since the deployment is to stop. Never leaves the engine."""


async def call(what: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """Make the call, again after each `TransientError`, with pauses that double and vary ("full jitter", as AWS advises).

    Raises `DefangError` only: a resource type's own bug must fail its step, and not the whole deployment's bookkeeping.
    """
    for attempt in range(ATTEMPTS):
        try:
            return await what()
        except TransientError as error:
            if attempt == ATTEMPTS - 1:
                raise
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
            await clock.sleep(max(error.after, random.uniform(0, pause)))  # noqa: S311 - spreads load, guards nothing
        except DefangError:
            raise
        except Exception as error:  # edge: see the docstring
            raise ProviderError(f"unexpected {type(error).__name__}: {error}") from error
    raise AssertionError("not reached")


async def unless(stop: asyncio.Event, what: Awaitable[T]) -> T:
    """The result of `what`; once `stop` is set, give it up and raise `StoppedError` (unless it ends well all the same)."""
    doing = asyncio.ensure_future(what)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not doing.done():
            doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
    if doing.cancelled():
        raise StoppedError
    return doing.result()

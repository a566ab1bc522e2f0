"""Requests that may be sent twice, sent until they are decided."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from defang_nb.provision.ports import TransientError

_Given = TypeVar("_Given")

_ATTEMPTS = 8
_PAUSE = 0.2
"""Seconds before a request is sent again, doubled each time, up to `_LONGEST`."""
_LONGEST = 5.0


async def again(attempt: Callable[[], Awaitable[_Given]]) -> _Given:
    """What `attempt` gives, asked anew after each `TransientError`, with pauses that double and vary. Raises the last one."""
    for number in range(1, _ATTEMPTS + 1):
        try:
            return await attempt()
        except TransientError as error:
            if number == _ATTEMPTS:
                raise
            longest = min(_LONGEST, _PAUSE * 2 ** (number - 1))
            await asyncio.sleep(max(error.after, longest * random.uniform(0.5, 1)))  # noqa: S311 jitter, no secret
    raise AssertionError("the last attempt gives or raises")

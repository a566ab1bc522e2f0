"""The engine's thread, seen from any other thread."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncGenerator

import pytest

from defang_nb.client import loop
from defang_nb.errors import CdError


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_work_gives_its_result_or_its_error() -> None:
    async def fail() -> None:
        raise CdError("no")

    assert loop.run(double(2)) == 4
    with pytest.raises(CdError, match="no"):
        loop.run(fail())


async def test_it_works_where_a_loop_runs_already() -> None:
    assert loop.run(double(3)) == 6


def test_all_work_shares_one_thread() -> None:
    async def where() -> int:
        return threading.get_ident()

    assert len({loop.run(where()) for _ in range(3)} - {threading.get_ident()}) == 1


def test_an_interrupt_ends_the_waiting_and_the_work() -> None:
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run(forever())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.wait(10)


def test_closing_an_iterator_closes_the_generator() -> None:
    closed = threading.Event()

    async def count() -> AsyncGenerator[int, None]:
        try:
            for number in range(100):
                yield number
        finally:
            closed.set()

    items = loop.iterate(count())
    assert [next(items), next(items)] == [0, 1]
    items.close()  # type: ignore[attr-defined]
    assert closed.is_set()
    assert list(loop.iterate(count())) == list(range(100))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_makes_its_own() -> None:
    loop.run(double(1))
    pid = os.fork()
    if pid == 0:
        os._exit(0 if loop.run(double(21)) == 42 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_an_interrupt_waits_until_a_step_has_cleaned_up() -> None:
    cleaned = threading.Event()

    async def slow() -> AsyncGenerator[int, None]:
        yield 1
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            cleaned.set()

    items = loop.iterate(slow())
    assert next(items) == 1
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(items)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert cleaned.is_set()

"""What most types of AWS answer alike, and how they wait."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import names
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.times import usual
from defang_nb.provision.ports import ApiClass, Made, OnCancel, Operation

_Given = TypeVar("_Given")

FIRST, LONGEST = 0.5, 5.0
"""Seconds between two looks at something that goes away, at first and at most."""
GOING = 900.0
"""Seconds after which something that does not go away is an error: tasks may take minutes to stop."""
_LAG = 2.0
"""Seconds for which AWS may not show what was just done."""


class AwsType(ABC):
    """Updated in place, finished when cancelled, ready at once. Names in the account are made of the urn, and tags tell it."""

    name = ""
    replace_on: frozenset[str] = frozenset()
    create_before_delete = False
    on_cancel = OnCancel.FINISH
    lag = _LAG
    idempotent = False
    """True where making one takes several calls: then a create whose reply was lost is called again, to its end."""
    api = ApiClass("aws", 16)
    """Of calls that go on at once: most of the time of one that deletes something is waiting."""

    @property
    def typical(self) -> float:
        """Seconds until one is usually ready: near to it is asked more often."""
        found = usual().get(self.name)
        return found.ready if found else 0.0

    def __init__(self, account: Account, base: Base, stack: str) -> None:
        self.account = account
        self.base = base
        self.stack = stack

    @abstractmethod
    async def create(self, operation: Operation) -> Made: ...

    @abstractmethod
    async def update(self, operation: Operation) -> Made: ...

    @abstractmethod
    async def find(self, urn: str) -> Made | None: ...

    @abstractmethod
    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]: ...

    @abstractmethod
    async def delete(self, recorded: Recorded) -> None: ...

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        return made.outputs

    def called(self, urn: str, *, longest: int = 255) -> str:
        return names.called(self.stack, urn, longest=longest)

    def tags(self, urn: str) -> dict[str, str]:
        return names.tags(self.stack, names.parts(urn)[0], urn)

    def pairs(self, urn: str, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        return names.pairs(self.tags(urn), key, value)

    async def claimed(self, urn: str, codes: Collection[str], create: Callable[[], Awaitable[Answer]], what: str) -> Made:
        """What `create` makes. Where something has the name already (one of `codes`), it is ours, or an error."""
        try:
            answer = await create()
        except AwsError as error:
            if error.code not in codes:
                raise
            for pause in (0, 1, 2, 4):  # what was made a moment ago, by a call whose reply was lost, may not show yet
                await asyncio.sleep(pause * FIRST)
                if (found := await self.find(urn)) is not None:
                    return found
            hint = "remove it, or deploy to a stack of another name"
            raise ProviderError(f"there is a {what} already that is not ours", hint=hint) from None
        return self.made(urn, answer)

    @staticmethod
    def known(operation: Operation) -> Mapping[str, Json]:
        """The inputs that what is to be updated surely has: none, where it never came to be as it is recorded."""
        previous = operation.previous
        return previous.inputs if previous and previous.ready else {}

    def made(self, urn: str, answer: Answer) -> Made:
        """What a creating call answered, as it is recorded. For those that use `claimed`."""
        raise AssertionError(f"{self.name} does not say what it made of {urn}: {sorted(answer)}")


def is_ours(wanted: Mapping[str, str], found: Sequence[Mapping[str, Any]], key: str = "Key", value: str = "Value") -> bool:
    """Whether something's tags say that it was made for this urn, on this stack."""
    told = {each[key]: each.get(value, "") for each in found}
    return all(told.get(name) == content for name, content in wanted.items())


def chunks(items: Sequence[_Given], size: int) -> Iterator[Sequence[_Given]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def ignoring(codes: Collection[str], doing: Awaitable[Answer]) -> Answer | None:
    """None, where AWS says that there is nothing to do it to."""
    try:
        return await doing
    except AwsError as error:
        if error.code not in codes:
            raise
        return None


async def once_free(
    attempt: Callable[[], Awaitable[Answer]], *, used: Collection[str], gone: Collection[str], what: str
) -> None:
    """Delete something as soon as nothing uses it any more. Raises `ProviderError` when it is in use for good."""
    pause, waited = FIRST, 0.0
    while True:
        try:
            await attempt()
            return
        except AwsError as error:
            if error.code in gone:
                return
            if error.code not in used:
                raise
            if waited > GOING:
                raise ProviderError(
                    f"{what} is still in use: {error.message}", hint="see what uses it in AWS's console"
                ) from None
        await asyncio.sleep(pause)
        waited += pause
        pause = min(LONGEST, pause * 1.6)


class Together:
    """Many that wait until something is gone, asked about in one call: not before half a second, then more and more rarely.

    `there` tells which of some names are still there.
    """

    def __init__(self, there: Callable[[Sequence[str]], Awaitable[Collection[str]]]) -> None:
        self._there = there
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def gone(self, name: str) -> None:
        """Wait until it is. Raises `DefangError`."""
        future = self._waiting.setdefault(name, asyncio.get_running_loop().create_future())
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(future)

    async def _ask(self) -> None:
        pause, waited = FIRST, 0.0
        while self._waiting:
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(LONGEST, pause * 1.6)
            asked = list(self._waiting)
            try:
                there = await self._there(asked)
                if waited > GOING:
                    raise ProviderError(f"{', '.join(sorted(there))}: not gone after {GOING:g} s")
            except DefangError as error:
                for future in self._waiting.values():
                    future.set_exception(error)
                self._waiting.clear()
                return
            for name in set(asked) - set(there):
                self._waiting.pop(name).set_result(None)

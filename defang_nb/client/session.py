"""A command that runs where a service runs, for a caller that blocks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Self

from defang_nb.client import loop

if TYPE_CHECKING:
    from defang_nb.model.execution import Executed, Output, TerminalSize
    from defang_nb.providers.base import Session


class RunningCommand:
    """Ends with its `with` block: what still runs then is ended. Methods may be called from any thread."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def output(self) -> Iterator[Output]:
        """What it writes, as it comes, until it has ended. Read it once, and to its end."""

        async def read() -> AsyncGenerator[Output, None]:
            async for each in self._session.output():
                yield each

        return loop.iterate(read())

    def write(self, data: bytes) -> None:
        """Give it something to read; b"" says that nothing more comes."""
        loop.run(self._session.write(data))

    def resize(self, size: TerminalSize) -> None:
        """Its terminal, if it has one, is of this size now. Does not wait for that."""
        loop.submit(self._session.resize(size))

    def wait(self) -> int:
        """Its exit code, once all that it wrote was read."""
        return loop.run(self._session.wait())

    def close(self) -> None:
        loop.run(self._session.close())

    def communicate(self, given: bytes = b"") -> Executed:
        """Give it all that it reads, and wait for all that it writes, and for its end."""
        from defang_nb.model.execution import Executed

        async def feed() -> None:
            if given:
                await self._session.write(given)
            await self._session.write(b"")

        feeding = loop.submit(feed())
        try:
            written = list(self.output())
            code = self.wait()
        finally:
            feeding.cancel()
        texts = [
            b"".join(each.data for each in written if each.error is error).decode("utf-8", "replace") for error in (False, True)
        ]
        return Executed(exit_code=code, output=texts[0], errors=texts[1])

"""What all builders share: a log in lines, its last ones, the Dockerfile of an archive, and failures with their line."""

from __future__ import annotations

import tarfile
from collections import deque
from pathlib import Path
from typing import IO, Any, Protocol

from defang_nb.build import dockerfile
from defang_nb.errors import BuildError
from defang_nb.model.image import ImageSource
from defang_nb.model.source import Diagnostic

LAST_LINES = 12
"""So many lines of its log a failed step shows."""


class Tell(Protocol):
    """Hears a build's log, as `BuildLine` documents it. Called from the event loop's thread."""

    def __call__(self, line: str, *, step: int = 0, steps: int = 0, cached: bool = False, seconds: float = 0.0) -> None: ...


class Log:
    """The last lines of a log, and where a build failed."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LAST_LINES)

    def add(self, line: str) -> None:
        if line.strip():
            self._lines.append(line)

    @property
    def tail(self) -> str:
        return "\n".join(self._lines)


class Text:
    """Bytes of a log as lines, whatever pieces they come in. A carriage return begins a line anew, as a progress bar does."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [_shown(each) for each in whole]

    def end(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [_shown(rest)] if rest else []


def _shown(line: bytes) -> str:
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")


def read_dockerfile(context: Path | IO[bytes], source: ImageSource) -> dockerfile.Dockerfile:
    """The Dockerfile in the archive, which is read no further than to it.

    Raises `BuildError` when it is wrong, with its lines, or is not there.
    """
    name = source.dockerfile or "Dockerfile"
    try:
        where: Any = {"name": context} if isinstance(context, Path) else {"fileobj": context}
        with tarfile.open(**where, mode="r|*") as tar:
            for member in tar:
                if member.name == name and (file := tar.extractfile(member)):
                    return _parsed(file.read().decode("utf-8-sig", errors="replace"), name, source)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BuildError(f"the context archive of {source.name} is damaged: {error}", hint="run up again") from error
    raise BuildError(f"there is no {name} in the build context of {source.name}", hint="add one, or name it: build.dockerfile")


def _parsed(text: str, name: str, source: ImageSource) -> dockerfile.Dockerfile:
    try:
        return dockerfile.parse(text, name)
    except BuildError as error:
        told = failure(source, error.diagnostics[0].message, Log(), error.diagnostics[0])
        told.diagnostics = error.diagnostics
        raise told from None


def failure(source: ImageSource, what: str, log: Log, found: Diagnostic | None = None, hint: str = "") -> BuildError:
    """A step that failed: what, the line of the Dockerfile, and the log's end."""
    where = f" ({found.position})" if found and found.position else ""
    hint = hint or disk_hint(f"{what}\n{log.tail}")
    last = f"the last lines of its log:\n{log.tail}" if log.tail else ""
    return BuildError(
        f"image {source.name}: {what}{where}",
        hint="\n".join(each for each in (hint, last) if each),
        diagnostics=[found] if found else [],
    )


BASE_HINT = "is its name right, can its registry be reached from here, and does it need a login (docker login)?"


def disk_hint(said: str) -> str:
    """What to do when that is why something failed."""
    if "no space left on device" in said.lower():
        return "the engine's disk is full: make room (docker system df, docker system prune) and run up again"
    return ""

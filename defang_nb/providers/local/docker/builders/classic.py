"""The classic builder of the engine's HTTP API, for engines without BuildKit and for Podman.

Source: docs.docker.com/reference/api/engine, "ImageBuild"; Podman's own words (`STEP 1/3: …`) as its compatible API sends them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from defang_nb.build import where
from defang_nb.build.log import BASE_HINT, Log, Tell, Text, failure, read_dockerfile
from defang_nb.errors import BuildError, DefangError
from defang_nb.model.image import ImageSource
from defang_nb.providers.local.docker.builders import bases
from defang_nb.providers.local.docker.builders.older import as_sent, sent_to
from defang_nb.providers.local.docker.builders.stream import Connect, Record, RefusedError, building, parameters
from defang_nb.provision.ports import TransientError

_STEP = re.compile(r"STEP (?P<number>\d+)/(?P<steps>\d+) ?: (?P<text>.+)", re.IGNORECASE)
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
"""What a command writes to its standard error comes in red."""
_CACHED = re.compile(r"-+> Using cache\b")
_NOISE = re.compile(r"^\s*-+> (?:[0-9a-f]{12}|Running in [0-9a-f]{12})$|^Removing intermediate container [0-9a-f]{12}$")
_NEEDS_BUILDKIT = "requires BuildKit"


class Classic:
    """A `Builder`. `labels` are put on every image; `older`: the engine is older than Docker 23."""

    def __init__(self, connect: Connect, labels: Mapping[str, str] | None = None, *, older: bool = False) -> None:
        self._connect = connect
        self._labels = dict(labels or {})
        self._older = older

    async def existing(self, source: ImageSource) -> str:
        """Nothing is anywhere else."""
        return ""

    async def build(self, source: ImageSource, context: Path, args: Mapping[str, str], emit: Tell) -> str:
        """See `Builder`. This builder ends what it does when the connection is cut."""
        story = _Story(emit)
        sent = parameters(source, args, self._labels)
        await asyncio.to_thread(bases.fetch, self._connect, context, source, args)
        try:
            async with (
                sent_to(self._older, context, source) as archive,
                building(self._connect, archive, sent, lambda client: None) as records,
            ):
                async for record in records:
                    story.hear(record)
        except RefusedError as error:
            story.error = error.said
        story.end()
        if story.error:
            raise _failed(source, context, story, self._older)
        image = story.image or await asyncio.to_thread(self._image, source.reference)
        if not image:
            raise TransientError("the engine ended in the middle of the build", hint="run up again", after=1.0)
        return image

    def _image(self, reference: str) -> str:
        from docker.errors import DockerException

        client: Any = self._connect()
        try:
            return str(client.inspect_image(reference)["Id"])
        except DockerException:
            return ""
        finally:
            client.close()


class _Story:
    """A build as this builder tells it. A step's line waits for the next one, which may say that it was cached."""

    def __init__(self, emit: Tell) -> None:
        self.log = Log()
        self.image = ""
        self.error = ""
        self.number = 0
        self.title = ""
        self._emit = emit
        self._text = Text()
        self._waiting: tuple[str, int, int] | None = None

    def hear(self, record: Record) -> None:
        match record:
            case {"stream": str(text)}:
                for line in self._text.feed(text.encode()):
                    self._line(line)
            case {"aux": {"ID": str(image)}}:
                self.image = image
            case {"error": str(said)}:
                self.error = said
            case {"status": str(status), **rest} if "progressDetail" not in rest:
                self._line(status)

    def end(self) -> None:
        for line in self._text.end():
            self._line(line)
        self._say_step()

    def _line(self, line: str) -> None:
        line = _COLOUR.sub("", line)
        if match := _STEP.fullmatch(line.strip()):
            self._say_step()
            self.number, self.title = int(match["number"]), match["text"]
            self._waiting = (f"[{self.number}/{match['steps']}] {self.title}", self.number, int(match["steps"]))
            self.log = Log()
        elif _CACHED.search(line):
            self._say_step(cached=True)
        elif line.strip() and not _NOISE.match(line):
            self._say_step()
            self.log.add(line)
            self._emit(line)

    def _say_step(self, *, cached: bool = False) -> None:
        if self._waiting:
            line, step, steps = self._waiting
            self._waiting = None
            self._emit(f"{line} (cached)" if cached else line, step=step, steps=steps, cached=cached)


def _failed(source: ImageSource, context: Path, story: _Story, older: bool) -> DefangError:
    said = re.sub(
        r"^The command '(.*)' returned a non-zero code: (\d+)$", r"exit code: \2", story.error.strip(), flags=re.DOTALL
    )
    hint = "this engine builds without BuildKit: a newer Docker has it" if _NEEDS_BUILDKIT in said else ""
    try:
        file = read_dockerfile(context, source)
    except BuildError as error:
        # Our reader says all that is wrong with it, and where; but what the engine can read and we can't is no error.
        return error if not story.number else failure(source, said, story.log, hint=hint)
    if parsed := where.parse_error(said):
        line, message = parsed
        return failure(source, message, Log(), file.diagnostic(line, "dockerfile-syntax", message))
    if story.title.upper().startswith("FROM "):
        message = f"the base image {story.title.split()[1]} can't be had: {said}"
        found = where.of_number(file, story.number, "image-missing", message)
        return failure(source, message, Log(), found, BASE_HINT)
    sent = as_sent(older, file)
    found = where.of_text(sent, story.title, "build-failed", said) or where.of_number(sent, story.number, "build-failed", said)
    title = where.title(file, found) or story.title
    message = f"{title}: {said}" if title else said
    return failure(source, message, story.log, where.again(file, found, message), hint)

"""The engine's BuildKit over its HTTP API: no buildx, no session.

Source: docs.docker.com/reference/api/engine, "ImageBuild".
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from defang_nb.build import where
from defang_nb.build.log import BASE_HINT, Log, Tell, Text, failure, read_dockerfile
from defang_nb.errors import BuildError, DefangError
from defang_nb.model.image import ImageSource
from defang_nb.providers.local.docker.builders import bases
from defang_nb.providers.local.docker.builders.older import as_sent, sent_to
from defang_nb.providers.local.docker.builders.stream import Connect, Record, RefusedError, building, parameters
from defang_nb.providers.local.docker.builders.unseen import shown
from defang_nb.provision.ports import TransientError
from defang_nb.wire.progress import Vertex, decode

_TRACE, _IMAGE = "moby.buildkit.trace", "moby.image.id"
_NOISE = re.compile(
    r"^(?:failed to solve(?: with frontend [\w.]+)?: |failed to create LLB definition: |failed to build LLB: "
    r"|rpc error: [^:]*: desc = |executor failed running \[.*?\]: |process \".*?\" did not complete successfully: )+",
    re.DOTALL,
)
_READER = re.compile(r"resolve image config for (?:docker-image://)?(\S*/dockerfile(?:[:@]\S+)?)$")
_METADATA = "[internal] load metadata for "


class BuildKit:
    """A `Builder`. `labels` are put on every image; `older`: the engine is older than Docker 23."""

    def __init__(self, connect: Connect, labels: Mapping[str, str] | None = None, *, older: bool = False) -> None:
        self._connect = connect
        self._labels = dict(labels or {})
        self._older = older

    async def existing(self, source: ImageSource) -> str:
        """Nothing is anywhere else."""
        return ""

    async def build(self, source: ImageSource, context: Path, args: Mapping[str, str], emit: Tell) -> str:
        """See `Builder`. Where the reader that `# syntax=` names can't be had, the engine's own reads the Dockerfile."""
        await asyncio.to_thread(bases.fetch, self._connect, context, source, args)
        story = await self._told(source, context, args, emit)
        if story.failed and (reader := _READER.match(story.failed.name)):
            emit(f"warning: {reader[1]} can't be had, which the Dockerfile's `# syntax=` asks for: the engine's own reads it")
            story = await self._told(source, context, args, emit, no_syntax=True)
        if story.error:
            raise _failed(source, context, story, self._older)
        if not story.image:
            raise TransientError("the engine ended in the middle of the build", hint="run up again", after=1.0)
        return story.image

    async def _told(
        self, source: ImageSource, context: Path, args: Mapping[str, str], emit: Tell, *, no_syntax: bool = False
    ) -> _Story:
        name = secrets.token_hex(16)

        def cancel(client: Any) -> None:
            client.post(f"{client.base_url}/v{client.api_version}/build/cancel", params={"id": name}, timeout=10).close()

        story = _Story(emit)
        asked = parameters(source, args, self._labels) | {"version": "2", "buildid": name}
        try:
            async with (
                sent_to(self._older, context, source, buildkit=True, no_syntax=no_syntax) as archive,
                building(self._connect, archive, asked, cancel) as records,
            ):
                async for record in records:
                    story.hear(record)
        except RefusedError as error:
            story.error = error.said
        story.end()
        return story


class _Story:
    """A build as BuildKit tells it."""

    def __init__(self, emit: Tell) -> None:
        self.image = ""
        self.error = ""
        self.failed: Vertex | None = None
        self._emit = emit
        self._names: dict[str, str] = {}
        self._begun: dict[str, int] = {}
        self._ended: set[str] = set()
        self._texts: dict[str, Text] = {}
        self._logs: dict[str, Log] = {}
        self._warned: set[str] = set()

    def hear(self, record: Record) -> None:
        match record:
            case {"id": str(kind), "aux": str(data)} if kind == _TRACE:
                self._trace(base64.b64decode(data))
            case {"id": str(kind), "aux": {"ID": str(image)}} if kind == _IMAGE:
                self.image = image
            case {"aux": {"ID": str(image)}}:
                self.image = image
            case {"error": str(said)}:
                self.error = shown(said)

    @property
    def log(self) -> Log:
        """Of what failed."""
        return self._logs.get(self.failed.digest if self.failed else "", Log())

    def end(self) -> None:
        for vertex, text in self._texts.items():
            self._write(vertex, text.end())

    def _trace(self, data: bytes) -> None:
        progress = decode(data)
        vertexes = [msgspec.structs.replace(each, name=shown(each.name)) for each in progress.vertexes]
        for vertex in vertexes:
            self._names[vertex.digest] = vertex.name
        for vertex in vertexes:
            if where.is_step(vertex.name):
                self._step(vertex)
            if vertex.error and "context canceled" not in vertex.error:
                self.failed = vertex
        for log in progress.logs:
            self._write(log.vertex, self._texts.setdefault(log.vertex, Text()).feed(log.text))
        for warning in progress.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._emit(f"warning: {warning}")

    def _step(self, vertex: Vertex) -> None:
        """One line when it begins and one when it has ended; one for both when there was nothing to do."""
        steps = sum(where.is_step(name) for name in self._names.values())
        if vertex.digest not in self._begun and (vertex.started or vertex.cached):
            number = self._begun[vertex.digest] = len(self._begun) + 1
            said = f"{vertex.name} (cached)" if vertex.cached else vertex.name
            self._emit(said, step=number, steps=max(steps, number), cached=vertex.cached)
            if vertex.cached:
                self._ended.add(vertex.digest)
        if vertex.completed and vertex.digest not in self._ended:
            self._ended.add(vertex.digest)
            if text := self._texts.get(vertex.digest):
                self._write(vertex.digest, text.end())
            seconds = max(0.0, vertex.completed - vertex.started)
            if not vertex.error:
                self._emit(f"{vertex.name}: {seconds:.1f} s", seconds=round(seconds, 3))

    def _write(self, vertex: str, lines: list[str]) -> None:
        for line in lines:
            self._logs.setdefault(vertex, Log()).add(line)
            self._emit(line)


def _failed(source: ImageSource, context: Path, story: _Story, older: bool) -> DefangError:
    """What BuildKit complained about, as an error that names the Dockerfile's line."""
    said = _NOISE.sub("", story.error).strip()
    if "context canceled" in said and story.failed is None:
        return TransientError("the build was broken off by the engine", hint="run up again", after=1.0)
    try:
        file = read_dockerfile(context, source)
    except BuildError as error:
        # Our reader says all that is wrong with it, and where; but what the engine can read and we can't is no error.
        return error if not story.failed else failure(source, said, story.log)
    if parsed := where.parse_error(said):
        line, message = parsed
        return failure(source, message, Log(), file.diagnostic(line, "dockerfile-syntax", message))
    vertex = story.failed.name if story.failed else ""
    if vertex.startswith(_METADATA):
        image = vertex.removeprefix(_METADATA)
        message = f"the base image {image} can't be had: {said.removeprefix(f'{image}: ')}"
        return failure(source, message, Log(), where.of_base(file, image, "image-missing", message), BASE_HINT)
    found = where.of_vertex(as_sent(older, file), vertex, "build-failed", said) if vertex else None
    title = where.title(file, found) or re.sub(r"^\[[^\]]*\] ", "", vertex)
    message = f"{title}: {said}" if title else said
    return failure(source, message, story.log, where.again(file, found, message))

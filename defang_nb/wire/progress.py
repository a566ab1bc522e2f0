"""BuildKit's progress messages as values."""

from __future__ import annotations

import msgspec
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from defang_nb.wire.generated import progress_pb2 as pb


class Vertex(msgspec.Struct, frozen=True, kw_only=True):
    """One node of a build's graph. Times are seconds since the epoch, 0 where it did not begin or end yet."""

    digest: str
    name: str
    cached: bool = False
    started: float = 0.0
    completed: float = 0.0
    error: str = ""


class Log(msgspec.Struct, frozen=True):
    """What a vertex wrote; not always whole lines."""

    vertex: str
    text: bytes


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What is new since the message before. `warnings` are BuildKit's own about the Dockerfile."""

    vertexes: tuple[Vertex, ...] = ()
    logs: tuple[Log, ...] = ()
    warnings: tuple[str, ...] = ()


def decode(data: bytes) -> Progress:
    """Raises `ValueError` for what is no such message."""
    message = pb.Progress()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return Progress(
        vertexes=tuple(
            Vertex(
                digest=each.digest,
                name=each.name,
                cached=each.cached,
                started=_seconds(each.started) if each.HasField("started") else 0.0,
                completed=_seconds(each.completed) if each.HasField("completed") else 0.0,
                error=each.error,
            )
            for each in message.vertexes
        ),
        logs=tuple(Log(each.vertex, each.message) for each in message.logs),
        warnings=tuple(each.short.decode(errors="replace") for each in message.warnings),
    )


def _seconds(stamp: Timestamp) -> float:
    return stamp.seconds + stamp.nanos / 1e9

"""What runs right now, as the provider sees it; and the lines that services write."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from defang_nb.model.view import Endpoint


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is one word for people (running, starting, exited, crashed, stopped); `started` is epoch seconds."""

    project: str
    service: str
    state: str
    detail: str = ""
    running: int = 0
    wanted: int = 1
    healthy: bool | None = None
    exit_code: int | None = None
    started: float | None = None
    restarts: int = 0
    pids: tuple[int, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()


class LogKind(StrEnum):
    """Whose lines: those of services, of the builds of their images, or of cd."""

    RUN = "run"
    BUILD = "build"
    CD = "cd"


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a service's output; `time` is epoch seconds, `replica` counts from 1.

    Of a build `service` is the image's name, and `replica` counts builds; of cd, `service` is "cd".
    """

    service: str
    time: float
    line: str
    replica: int = 1
    kind: LogKind = LogKind.RUN

    @property
    def source(self) -> str:
        """Who wrote it, for people."""
        return f"build of {self.service}" if self.kind is LogKind.BUILD else f"{self.service}.{self.replica}"


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are wanted: of which services (empty: all), between which times, the last `tail` of them, followed or not.

    `kinds`: whose. `containing`: only lines that have this text in them.
    """

    services: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    tail: int | None = None
    follow: bool = False
    kinds: tuple[LogKind, ...] = (LogKind.RUN,)
    containing: str = ""

    def wants(self, record: LogRecord) -> bool:
        """Whether it is of the time, and has the text, that is asked for."""
        after = self.since is None or record.time >= self.since
        return after and (self.until is None or record.time <= self.until) and self.containing in record.line


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica of a service uses at one moment; `time` is epoch seconds.

    `cpu` is in cores (0.5: half of one), over the time since the sample before; `memory` in bytes, `limit` where there is one;
    `received` and `sent` are bytes since it started, where the engine counts them.
    """

    service: str
    time: float
    cpu: float
    memory: int
    replica: int = 1
    limit: int | None = None
    processes: int = 0
    received: int | None = None
    sent: int | None = None

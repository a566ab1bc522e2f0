"""A command that is run where a service runs, beside it: what is asked for, what it writes, how it ended."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class TerminalSize(msgspec.Struct, frozen=True):
    """In characters."""

    rows: int
    columns: int


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """`command` in the place of `service`: its environment (and `env`), its working directory (or `workdir`), its user.

    `terminal`: it shall have one of that size, else it has pipes. `masked`: configuration values are hidden in what it writes,
    line by line, for output that is kept somewhere.
    """

    service: str
    command: tuple[str, ...]
    replica: int = 1
    env: Mapping[str, str] = {}
    workdir: str = ""
    user: str = ""
    terminal: TerminalSize | None = None
    masked: bool = False


class Output(msgspec.Struct, frozen=True):
    """Some bytes that it wrote, to its standard output or (`error`) its standard error; a terminal has no such difference."""

    data: bytes
    error: bool = False


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended, and what it wrote. One that was ended by signal N has the exit code 128 + N."""

    exit_code: int
    output: str
    errors: str

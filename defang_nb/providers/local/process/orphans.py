"""Processes that are ours, told apart from all others: by recorded id and start time, or by a mark in their environment.

Nothing is ever signalled for its id alone: ids are used again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import psutil

MARK = "DEFANG_NB_PROGRAM"
"""Environment variable of every process that we start: `<stack's folder>#<program>`."""

_START_SLACK = 60.0
"""Seconds that may pass between a process's creation and its own note of it, on a machine under load."""


class Note(msgspec.Struct, frozen=True):
    """What the launcher wrote: its process id, when (epoch seconds), and how many times the program was started."""

    pid: int
    time: float
    starts: int = 1


def read_note(path: Path) -> Note | None:
    try:
        return msgspec.convert(json.loads(path.read_bytes()), Note)
    except (OSError, ValueError):
        return None


def leader(note: Note) -> psutil.Process | None:
    """The process that wrote `note`, if it still lives."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(note.pid)
        if note.time - _START_SLACK <= process.create_time() <= note.time + 2 and _lives(process):
            return process
    return None


def members(group: int) -> list[psutil.Process]:
    """The living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and _lives(process):
                found.append(process)
    return found


def marked(stack: Path, program: str | None = None) -> list[psutil.Process]:
    """The living processes that carry the mark of a program (None: of any) of that stack, wherever they moved themselves."""
    wanted = f"{stack}#{program}" if program else f"{stack}#"
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK, "")
            if (mark == wanted if program else mark.startswith(wanted)) and _lives(process):
                found.append(process)
    return found


def recorded(folder: Path) -> Iterator[psutil.Process]:
    """Every process of a group whose leader has a note (`*.pid`) in `folder` and still lives."""
    for path in sorted(folder.glob("*.pid")):
        if (note := read_note(path)) and (process := leader(note)):
            group = members(note.pid)
            yield from group if process in group else [process, *group]


def end(processes: Iterable[psutil.Process], grace: float = 2.0) -> None:
    """Interrupt, and kill after `grace` seconds; back when all are gone. Blocking."""
    alive = list(dict.fromkeys(processes))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        alive = wait(alive, grace)
        if not alive:
            return


def wait(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended; those that have not after `seconds`. Blocking."""
    deadline = time.monotonic() + seconds
    while (alive := [each for each in processes if _lives(each)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _lives(process: psutil.Process) -> bool:
    """A zombie has ended: nothing of it can hold a port, and its parent's manners are not ours to wait for."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False

"""What still runs of a stack: the processes whose command or environment names the folder that the stack lives in."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

PATIENCE = 30
"""Seconds to wait for cd to exit, which it does by itself when idle."""


def processes_of(home: Path) -> list[psutil.Process]:
    """All processes that belong to `home` but this one."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _belongs(process, str(home))]


def wait_until_gone(home: Path, patience: float = PATIENCE) -> list[str]:
    """Wait for them to end, `patience` seconds at most; those that are left, as "pid command"."""
    deadline = time.monotonic() + patience
    while (left := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return [described(process) for process in left]


def described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())}"
    except psutil.Error:
        return f"{process.pid} (ended meanwhile)"


def _belongs(process: psutil.Process, home: str) -> bool:
    try:
        return process.environ().get("DEFANG_NB_HOME") == home or any(home in word for word in process.cmdline())
    except psutil.Error:
        return False

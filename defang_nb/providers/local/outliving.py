"""Starts programs that go on when the process that started them ends."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


def start(
    command: Sequence[str], *, folder: Path, log: int, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """In a session of its own; what it writes goes to the file descriptor `log`. Raises `OSError`."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    # Somebody has to take note of its end, or it stays a zombie for as long as this process lives.
    threading.Thread(target=process.wait, name=f"end of {process.pid}", daemon=True).start()
    return process

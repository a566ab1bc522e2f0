"""What a build leaves behind when its cd is killed: children that go on, and a folder that was being worked in.

Each child carries the mark of the process that builds, each working folder its id in its name; so the next build knows whose
they are, ends the children of the dead (which would install into the same environments), and deletes what they worked in.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path

import psutil

from defang_nb.providers.local.process import orphans

MARK = "DEFANG_NB_BUILT_BY"
_WORK = re.compile(r"\..+\.(\d+)-[0-9a-f]+")


def mark() -> dict[str, str]:
    """The environment variable that a build's children carry: who builds, and since when that process lives."""
    return {MARK: f"{os.getpid()}:{psutil.Process().create_time():.0f}"}


def work_folder(images: Path, name: str) -> Path:
    """A folder of this process's own to build in."""
    return images / f".{name[-40:]}.{os.getpid()}-{secrets.token_hex(4)}"


def sweep(images: Path) -> None:
    """End and delete what builds of processes that are dead left behind. Blocking."""
    orphans.end([process for process in psutil.process_iter() if _orphaned(process)])
    for folder in images.iterdir() if images.is_dir() else ():
        found = _WORK.fullmatch(folder.name)
        if found and not psutil.pid_exists(int(found[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _orphaned(process: psutil.Process) -> bool:
    """Whether a process belongs to a build whose own process is gone."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        pid, _, since = process.environ().get(MARK, "").partition(":")
        if not pid:
            return False
        try:
            return abs(psutil.Process(int(pid)).create_time() - float(since)) > 2.0
        except psutil.NoSuchProcess:
            return True
    return False

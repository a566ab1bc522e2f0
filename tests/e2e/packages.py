"""Programs that the tests need, from Debian's packages where this machine may install them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


class UnavailableError(Exception):
    """Something that the tests need can't be had here; says what and why."""


def cache(name: str) -> Path:
    """A folder that is kept for the next run."""
    made = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "defang-nb" / name
    made.mkdir(parents=True, exist_ok=True)
    return made


@contextlib.contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """What tests that run beside each other all need is made by one of them, and found by the others."""
    with (cache("locks") / what).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(*packages: str, program: str) -> None:
    """Make sure of `program`. What is installed for it is not started as a service of the machine."""
    if not shutil.which(program):
        with one_at_a_time("packages"):
            _install(packages, program)


def _install(packages: tuple[str, ...], program: str) -> None:
    if shutil.which(program):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise UnavailableError(f"there is no {program} (apt-get install {' '.join(packages)}, which needs root)")
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
    if done.returncode or not shutil.which(program):
        raise UnavailableError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")

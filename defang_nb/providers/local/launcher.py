"""Starts, finds and ends the cd process of a local stack.

Settings (of the stack, else of the environment): `DEFANG_CD_IDLE`, the seconds after which an idle cd ends itself (60), and
`DEFANG_CD_TRANSPORT`, `unix` (a socket that only this user can open) or `tls` (loopback with keys for this launch).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from defang_nb.errors import CdError, UsageError
from defang_nb.model.stack import Stack
from defang_nb.providers.base import CdAddress
from defang_nb.providers.local import outliving
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.rendezvous import Rendezvous

IDLE = 60.0
_PATIENCE = 30.0
"""Seconds that a cd may take to listen, on a machine that is very busy."""
_LOG_LIMIT = 1_000_000
"""Bytes after which cd's log is put aside at a launch."""


class Launcher:
    """The cd of one stack on this machine."""

    def __init__(self, stack: Stack, paths: StackPaths | None = None) -> None:
        self._stack = stack
        self._rendezvous = Rendezvous(paths or StackPaths.of(stack.name))

    async def find(self) -> CdAddress | None:
        """The address of a cd that accepts connections, or None."""
        return self._rendezvous.find()

    async def launch(self) -> CdAddress:
        """Start a cd, or find the one that was faster. Raises `CdError` with the end of cd's log."""
        self._rendezvous.prepare()
        process = self._spawn()
        deadline = time.monotonic() + _PATIENCE
        while (address := self._rendezvous.find()) is None:
            code = process.poll()
            if code == 0:
                # It left since another one served, or was idle; if nobody serves now, somebody has to.
                process = self._spawn()
            elif code is not None:
                raise CdError(f"cd ended at its start with exit code {code}", hint=self._last_words())
            if time.monotonic() > deadline:
                raise CdError(f"cd did not listen within {_PATIENCE:g} s", hint=self._last_words())
            await asyncio.sleep(0.01)
        return address

    async def stop(self) -> None:
        """End the stack's cd in good order and wait until it is gone. What it runs is stopped, and can be continued."""
        pid = self._rendezvous.holder()
        if pid is None:
            return
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(psutil.wait_procs, [process], timeout=_PATIENCE)

    def _spawn(self) -> subprocess.Popen[bytes]:
        """A session of its own, away from the notebook's folder and from the signals that the kernel gets."""
        command = [sys.executable, "-P", "-m", "defang_nb.cd", "--stack", self._stack.name]
        command += ["--idle", f"{self._idle():g}", "--transport", self._setting("DEFANG_CD_TRANSPORT", "unix")]
        log = self._rendezvous.log
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > _LOG_LIMIT:
                log.replace(log.with_suffix(".log.1"))
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return outliving.start(command, folder=log.parent, log=output)
        finally:
            os.close(output)

    def _idle(self) -> float:
        text = self._setting("DEFANG_CD_IDLE", f"{IDLE:g}")
        try:
            return float(text)
        except ValueError:
            raise UsageError(f"DEFANG_CD_IDLE is {text!r}, not a number of seconds") from None

    def _setting(self, name: str, default: str) -> str:
        return self._stack.settings.get(name) or os.environ.get(name) or default

    def _last_words(self) -> str:
        log: Path = self._rendezvous.log
        with contextlib.suppress(OSError):
            lines = log.read_text(errors="replace").splitlines()[-8:]
            return "\n".join([f"from {log}:", *lines])
        return ""

"""How a workspace and cd find each other on this machine: a lock that one cd of a stack holds, and the address that it wrote.

Everything is in the stack's private folders: who can read the address (and the keys in it) is the same user.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec

from defang_nb.providers.base import CdAddress
from defang_nb.providers.local.paths import StackPaths, private


class Rendezvous:
    """Of one stack. cd calls `hold`, `publish` and `withdraw`; a workspace calls `find` and `holder`."""

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths
        self._lock: int | None = None

    @property
    def socket(self) -> Path:
        return self._paths.sockets / "cd.sock"

    @property
    def _address(self) -> Path:
        return self._paths.sockets / "cd.json"

    @property
    def _lock_file(self) -> Path:
        return self._paths.root / "cd.lock"

    @property
    def log(self) -> Path:
        return self._paths.root / "cd.log"

    def prepare(self) -> None:
        """Make the folders: the sockets' one is private at each level, since its parent lies where anyone may write."""
        private(self._paths.root)
        private(self._paths.sockets.parent)
        private(self._paths.sockets)

    def hold(self) -> bool:
        """Take the lock, for as long as this process lives; False when another cd has it."""
        import fcntl

        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock
        self.withdraw()
        return True

    def holder(self) -> int | None:
        """The process id of the cd that was the last to take the lock, if it is still a cd of this stack."""
        import psutil

        try:
            pid = int(self._lock_file.read_text())
            return pid if "defang_nb.cd" in psutil.Process(pid).cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def publish(self, address: CdAddress) -> None:
        """Let workspaces of this user find it."""
        draft = self._address.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(address))
        draft.replace(self._address)

    def withdraw(self) -> None:
        """Delete the address, the keys in it, and the socket."""
        self._address.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def find(self) -> CdAddress | None:
        """The address of a cd that accepts connections."""
        try:
            address = msgspec.json.decode(self._address.read_bytes(), type=CdAddress)
        except (OSError, msgspec.DecodeError):
            return None
        return address if _accepts(address.target) else None


def _accepts(target: str) -> bool:
    if path := target.removeprefix("unix:") if target.startswith("unix:") else "":
        family, where = socket.AF_UNIX, path
    else:
        host, _, port = target.rpartition(":")
        family, where = socket.AF_INET, (host, int(port))  # type: ignore[assignment]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(where)
        except OSError:
            return False
    return True

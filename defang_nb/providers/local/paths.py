"""Where the local provider keeps things: one folder a stack, and a short private one for sockets.

`DEFANG_NB_HOME` moves everything (tests use it); otherwise `$XDG_STATE_HOME/defang-nb` or `~/.local/state/defang-nb`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from defang_nb.errors import ProviderError


def home() -> Path:
    """The folder of everything local, absolute; it need not exist yet."""
    if explicit := os.environ.get("DEFANG_NB_HOME"):
        return Path(explicit).expanduser().absolute()
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return (Path(base).expanduser() / "defang-nb").absolute()


def machine() -> Path:
    """What all stacks of a user on this machine share, whatever their homes: a folder that is empty after a restart."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"defang-nb-{user}"


@dataclass(frozen=True)
class StackPaths:
    """The folders of one local stack. Properties only name them; `private` makes one."""

    root: Path

    @classmethod
    def of(cls, stack: str) -> StackPaths:
        return cls(home() / "stacks" / stack)

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def config(self) -> Path:
        """Configuration values: 0600 files in a 0700 folder."""
        return self.root / "config"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def services(self) -> Path:
        """`services/<project>/<service>`: a service's working copy and launch file."""
        return self.root / "services"

    @property
    def data(self) -> Path:
        """`data/<project>/<name>`: what managed stores and named volumes keep."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """`logs/<project>/<service>.<replica>.log`."""
        return self.root / "logs"

    @property
    def sockets(self) -> Path:
        """A short 0700 folder for Unix sockets (their paths may hold 107 bytes at most), one for each stack folder."""
        return machine() / hashlib.sha256(str(self.root).encode()).hexdigest()[:12]


def private(folder: Path) -> Path:
    """Make `folder` with mode 0700 (and its parents), and refuse one that is a link or belongs to somebody else."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    found = folder.lstat()
    if hasattr(os, "getuid") and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid()):
        raise ProviderError(f"{folder} is not a folder of yours", hint="remove it, or set TMPDIR to a folder of your own")
    folder.chmod(0o700)
    return folder

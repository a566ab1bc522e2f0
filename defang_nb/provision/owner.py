"""Who holds a lease: a process on a machine, told to people as `user@host`."""

from __future__ import annotations

import getpass
import os
import socket

import msgspec


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is `user@host`; `started` is when the process began (epoch seconds), since process ids are used again."""

    name: str
    host: str
    pid: int
    started: float = 0.0

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def this_person() -> str:
    """`user@host`, for the user that this process runs as."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user id need not have a name
        user = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    return f"{user}@{socket.gethostname()}"


def this_process() -> Owner:
    """The owner that this process is."""
    import psutil  # here, since a client that only names its user need not load it

    started = psutil.Process().create_time()
    return Owner(name=this_person(), host=socket.gethostname(), pid=os.getpid(), started=started)


def surely_dead(owner: Owner) -> bool:
    """Whether `owner` ran on this machine and is over. False when it can't be known from here.

    A wrong True (two containers that share a host name) does no harm: the journal's seal stops the one taken over.
    """
    import psutil

    if owner.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(owner.pid)
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - owner.started) > 2.0
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False

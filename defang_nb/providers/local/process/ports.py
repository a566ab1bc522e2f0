"""Ports of this machine: which are free, who holds one, and which of ours is given to whom."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import psutil

from defang_nb.providers.local.paths import machine, private

LOOPBACK = "127.0.0.1"


def problem(port: int) -> str:
    """Why nothing of ours can listen on `port` now: "taken", "denied" (a privileged port), or "" when it can."""
    for host in (LOOPBACK, "0.0.0.0"):  # noqa: S104 - bound for a moment, never listened on
        with socket.socket() as probe:
            # As servers do it, so that a port whose last connections are still closing counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                return "denied" if error.errno in (errno.EACCES, errno.EPERM) else "taken"
    return ""


def free(avoid: Collection[int]) -> int:
    """A port that the system gives out, and that is not in `avoid`."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port not in avoid:
            return port


def holder(port: int) -> str:
    """Who listens on `port`, for people: `python app.py (process 123)`, or "another process" where that can't be seen."""
    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return describe(each.pid)
    return "another process"


def foreign(port: int, ours: Collection[psutil.Process]) -> str:
    """Who listens on `port` instead of one of our own processes, for people; "" when one of ours does, or nobody can tell."""
    if any(port in listening(process) for process in ours):
        return ""
    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ""  # some systems let only root look
    holders = {each.pid for each in found if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port}
    if not holders or holders & {process.pid for process in ours}:
        return ""
    named = sorted(pid for pid in holders if pid)
    return describe(named[0]) if named else "another process"


def listening(process: psutil.Process) -> set[int]:
    """The ports that a process listens on, as far as one may look."""
    with contextlib.suppress(psutil.Error, OSError):
        return {each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    return set()


def describe(pid: int) -> str:
    """A process by its program's name only: other people's arguments may hold secrets."""
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"


class PortBook:
    """Which port of this machine was given to which resource: a JSON file, written under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Mapping[str, Mapping[str, int]]:
        """urn → target port (as text) → port here."""
        try:
            found: dict[str, dict[str, int]] = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    @contextlib.contextmanager
    def changing(self) -> Iterator[dict[str, dict[str, int]]]:
        """The entries, to be changed; written when the block ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = {urn: dict(ports) for urn, ports in self.read().items()}
            before = json.dumps(entries)
            yield entries
            if (text := json.dumps(entries)) != before:
                temporary = self.path.with_suffix(".new")
                temporary.write_text(text)
                temporary.replace(self.path)

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[Claims]:
        """What the other stacks of this user have chosen on this machine; meanwhile none of them chooses."""
        folder = private(machine() / "ports")
        with (folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Claims(folder, self.path)

    def owner(self, port: int) -> str:
        """The urn that `port` was given to, or ""."""
        return next((urn for urn, ports in self.read().items() if port in ports.values()), "")


class Claims:
    """A file for each port that a stack has chosen, with the path of its book: it holds while that book gives the port out.

    So a port is ours from the moment at which it is chosen, though nobody listens there before its service is built.
    """

    def __init__(self, folder: Path, book: Path) -> None:
        self._folder = folder
        self._book = book

    def others(self) -> set[int]:
        """The ports that other books give out."""
        found = set()
        for claim in self._folder.iterdir():
            if claim.name.isdigit() and (book := Path(claim.read_text())) != self._book:
                if PortBook(book).owner(int(claim.name)):
                    found.add(int(claim.name))
                else:
                    claim.unlink()
        return found

    def add(self, ports: Collection[int]) -> None:
        for port in ports:
            (self._folder / str(port)).write_text(str(self._book))

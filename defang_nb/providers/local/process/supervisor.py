"""One supervisord a stack: it keeps the services' processes, and outlives cd and the kernel.

It runs in a session of its own, answers on a Unix socket in a 0700 folder, and reads one file a program. Facts that shape this
(Supervisor 4.3): its loop wakes once a second or when asked something, so programs are started and watched through its API;
`stop` waits for the leader only, so we wait for the whole group; a killed supervisord leaves its children, so they are ended
by their recorded ids before a new one starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import psutil

from defang_nb.errors import ProviderError
from defang_nb.providers.local.paths import StackPaths, private
from defang_nb.providers.local.process import orphans
from defang_nb.providers.local.process.rpc import Fault, call

_LAUNCHER = Path(__file__).parent / "shim" / "launch.py"
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONUSERBASE")


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process. `name` has no blank, colon or slash; `restart` is Supervisor's: true, unexpected or false.

    `once`: it runs when it is put, and never again by itself (not even when supervisord is started anew).
    """

    name: str
    launch_file: Path
    restart: str = "true"
    once: bool = False
    stop_signal: str = "TERM"
    stop_seconds: int = 10


class ProcessInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What supervisord says of a program: `state` is STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED or FATAL."""

    name: str
    state: str
    pid: int
    exit_status: int
    started: float

    @property
    def alive(self) -> bool:
        return self.state in ("STARTING", "RUNNING", "STOPPING")


class Supervisor:
    """The stack's process manager; started when a program is put under it, ended by `end_if_idle`."""

    def __init__(self, paths: StackPaths) -> None:
        self.paths = paths
        self.folder = paths.root / "supervisor"
        self.programs = self.folder / "programs"
        self.socket = paths.sockets / "supervisor.sock"
        self.log = self.folder / "supervisord.log"

    def pid_file(self, program: str) -> Path:
        """Where the launcher of `program` notes its process."""
        return self.programs / f"{program}.pid"

    async def put(self, program: Program) -> None:
        """Have `program` run, started anew if it ran already. Raises `ProviderError`."""
        await asyncio.to_thread(self._put, program)

    async def restart(self, name: str) -> None:
        """Stop a program that was put, with all of its processes, and start it again. Raises `ProviderError`."""
        await asyncio.to_thread(self._restart, name)

    async def remove(self, name: str) -> None:
        """Stop a program, wait until all of its processes are gone, and forget it. One that is not there is fine."""
        await asyncio.to_thread(self._remove, name)

    async def infos(self) -> Mapping[str, ProcessInfo]:
        """Every program, by name; nothing when no supervisord runs."""
        return await asyncio.to_thread(self._infos)

    def names(self, prefix: str) -> list[str]:
        """The programs that shall run and whose name begins with `prefix`, running or not."""
        return sorted(path.stem for path in self.programs.glob("*.ini") if path.stem.startswith(prefix))

    def starts(self, name: str) -> int:
        """How many times the program was started since it was put."""
        note = orphans.read_note(self.pid_file(name))
        return note.starts if note else 0

    def exits(self, name: str) -> list[str]:
        """How the program's processes ended ("exit status 1", "terminated by SIGKILL"), oldest first, as the log has it."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            # What was said before the program was put is about an earlier one of that name. The log's times are local.
            since = (self.programs / f"{name}.ini").stat().st_mtime - 0.01
            file.seek(max(0, self.log.stat().st_size - 256 * 1024))
            text = file.read().decode("utf-8", "replace")
            pattern = rf"^(\S+ \S+),(\d+) \w+ exited: {re.escape(name)} \((.*?)(?:; (?:not )?expected)?\)"
            return [how for stamp, ms, how in re.findall(pattern, text, re.M) if _epoch(stamp, ms) >= since]
        return []

    async def end_if_idle(self) -> None:
        """With no program left: end supervisord, and remove its folder."""
        await asyncio.to_thread(self._end_if_idle)

    # What follows blocks, and runs in threads.

    def _put(self, program: Program) -> None:
        self._remove(program.name, forget=False)
        with self._locked():
            self._write(program)
            self._ensure()
        self._start(program.name)

    def _restart(self, name: str) -> None:
        self._remove(name, forget=False)
        with self._locked():
            try:
                os.utime(self.programs / f"{name}.ini")  # what was said of it before is about its former life
            except FileNotFoundError:
                raise ProviderError(f"{name} is kept by the process manager no more", hint="`up` makes it anew") from None
            self._ensure()
        self._start(name)

    def _start(self, name: str) -> None:
        self._call("supervisor.reloadConfig")
        self._call("supervisor.addProcessGroup", name, accept=(Fault.ALREADY_ADDED,))
        # supervisord would start it at its next tick, up to a second from now.
        self._call("supervisor.startProcess", name, False, accept=(Fault.ALREADY_STARTED, Fault.SPAWN_ERROR))

    def _remove(self, name: str, forget: bool = True) -> None:
        if forget:
            (self.programs / f"{name}.ini").unlink(missing_ok=True)
        with contextlib.suppress(ConnectionError, FileNotFoundError):
            info = self._infos().get(name)
            if info is not None:
                call(self.socket, "supervisor.stopProcess", name, False, accept=(Fault.NOT_RUNNING, Fault.BAD_NAME))
                # Each question wakes supervisord, which then notices that its child has ended.
                while self._infos().get(name, _GONE).state not in ("STOPPED", "EXITED", "FATAL", "UNKNOWN"):
                    time.sleep(0.02)
                call(self.socket, "supervisor.removeProcessGroup", name, accept=(Fault.BAD_NAME,))
        note = orphans.read_note(self.pid_file(name))
        if note is not None:
            # The leader has ended, or was left behind by a dead supervisord; what remains of its group ends now.
            alone = orphans.leader(note)
            mine = orphans.marked(self.paths.root, name)
            orphans.end([*([alone, *orphans.members(note.pid)] if alone else []), *mine])
        self.pid_file(name).unlink(missing_ok=True)

    def _infos(self) -> dict[str, ProcessInfo]:
        try:
            found = call(self.socket, "supervisor.getAllProcessInfo")
        except (ConnectionError, FileNotFoundError):
            return {}
        return {
            each["name"]: ProcessInfo(
                name=each["name"],
                state=each["statename"],
                pid=each["pid"],
                exit_status=each["exitstatus"],
                started=float(each["start"]),
            )
            for each in found
        }

    def _call(self, method: str, *arguments: object, accept: tuple[Fault, ...] = ()) -> None:
        try:
            call(self.socket, method, *arguments, accept=accept)
        except (ConnectionError, FileNotFoundError) as error:
            raise ProviderError(f"the process manager is not there: {error}", hint=f"its log: {self.log}") from error

    def _answers(self) -> bool:
        try:
            return call(self.socket, "supervisor.getState") is not None
        except (ConnectionError, FileNotFoundError):
            return False

    def _ensure(self) -> None:
        """Start supervisord unless it answers; end first what a dead one left behind."""
        if self._answers():
            return
        orphans.end([*orphans.recorded(self.programs), *orphans.marked(self.paths.root)])
        private(self.socket.parent.parent)
        private(self.socket.parent)
        self.socket.unlink(missing_ok=True)
        config = self.folder / "supervisord.conf"
        config.write_text(self._configuration())
        environ = {key: os.environ[key] for key in _PASSED if key in os.environ}
        with (self.folder / "start.log").open("wb") as errors:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(config)],
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                check=False,
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            if done.returncode or time.monotonic() > deadline:
                reason = (self.folder / "start.log").read_text(errors="replace").strip().splitlines()[-1:]
                raise ProviderError(f"the process manager does not start: {' '.join(reason)}", hint=f"its log: {self.log}")
            time.sleep(0.01)

    def _process(self) -> psutil.Process | None:
        with contextlib.suppress(ConnectionError, FileNotFoundError, psutil.Error):
            return psutil.Process(call(self.socket, "supervisor.getPID"))
        return None

    def _configuration(self) -> str:
        folder, socket = _quoted(self.folder), _quoted(self.socket)
        return f"""\
[unix_http_server]
file={socket}
chmod=0600

[supervisord]
logfile={folder}/supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
loglevel=info
pidfile={folder}/supervisord.pid
childlogdir={folder}
directory={folder}
nocleanup=true
minfds=256
minprocs=1
umask=077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={folder}/programs/*.ini
"""

    def _write(self, program: Program) -> None:
        words = [sys.executable, "-I", "-S", str(_LAUNCHER), str(program.launch_file)]
        command = " ".join('"' + _quoted(word).replace('"', r"\"") + '"' for word in words)
        text = f"""\
[program:{program.name}]
command={command}
autostart={"false" if program.once else "true"}
autorestart={program.restart}
exitcodes=0
startsecs={0 if program.once else 1}
startretries=12
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=NONE
"""
        path = self.programs / f"{program.name}.ini"
        temporary = path.with_suffix(".new")
        temporary.write_text(text)
        temporary.rename(path)

    def _end_if_idle(self) -> None:
        if not self.folder.is_dir():
            return
        with self._locked():
            if any(self.programs.glob("*.ini")):
                return
            manager = self._process()
            with contextlib.suppress(ConnectionError, FileNotFoundError):
                call(self.socket, "supervisor.shutdown")
            late = orphans.wait([manager] if manager else [], 10)
            # One that does not end would go on with files that are gone; whoever waits for it here has waited long enough.
            orphans.end([*late, *orphans.recorded(self.programs), *orphans.marked(self.paths.root)])
            for path in [*self.programs.iterdir(), *(each for each in self.folder.iterdir() if each.name != "lock")]:
                if path.is_file() or path.is_socket():
                    path.unlink(missing_ok=True)
            self.socket.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """No two processes start, or end, the same supervisord."""
        self.paths.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        private(self.folder)
        private(self.programs)
        with (self.folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


_GONE = ProcessInfo(name="", state="STOPPED", pid=0, exit_status=0, started=0)


def _epoch(stamp: str, milliseconds: str) -> float:
    return time.mktime(time.strptime(stamp, "%Y-%m-%d %H:%M:%S")) + int(milliseconds) / 1000


def _quoted(value: object) -> str:
    """In Supervisor's files `%` begins an expansion."""
    return str(value).replace("%", "%%")

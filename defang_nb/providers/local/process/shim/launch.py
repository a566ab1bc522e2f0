"""Starts one program from a launch file: `python -I -S launch.py FILE` (the program), `… FILE --health` (its health check), or
`… FILE --beside` (another command in its place, which the environment variable `DEFANG_NB_BESIDE` tells as JSON).

Supervisor's configuration and the process list can be read by others, so they hold only the path of a 0600 file. What is
secret is not in that file either: it names configuration values, which are read from their own 0600 file at the last moment.
The program replaces this process (so signals and exit codes are its own); a detached child copies its output, line by line,
with times and without secret values, to a log file of bounded size. Only the standard library, since every start pays for it.
"""

# pathlib would cost every start some milliseconds, and to replace this process is the point:
# ruff: noqa: PTH105, PTH110, PTH119, PTH123, S606

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import signal
import sys
import termios
import time
from typing import Any, NoReturn

BESIDE = "DEFANG_NB_BESIDE"
"""`argv`, `env` (more of it), `cwd` ("" for the program's), `terminal` (whether standard input is one)."""
LINE_LIMIT = 64 * 1024
LOG_LIMIT = 8 * 1024 * 1024
SHORTEST_SECRET = 4
MASK = "••••"

PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
CAP_DAC_OVERRIDE, CAPABILITY_VERSION_3 = 1, 0x20080522


def resolve(value: Any, config: dict[str, str]) -> str:
    """A text with configuration values put in. Raises `KeyError` naming one that is not set."""
    if isinstance(value, dict):
        if "$config" in value:
            return config[value["$config"]]
        return "".join(resolve(part, config) for part in value["$join"])
    return str(value)


def expand_port(word: str, environ: dict[str, str]) -> str:
    """`$PORT` in words that no shell will see: platforms that give a PORT expand it, so Procfiles and commands rely on it."""
    port = environ.get("PORT", "")
    return re.sub(r"\$\{PORT(?::?-[^}]*)?\}|\$PORT\b", port, word) if port else word


def without_tls(environ: dict[str, str]) -> dict[str, str]:
    """What asks a Postgres client for TLS, turned off: the embedded server has none. Known only now, once values are put in."""
    wanted = r"(require|verify-ca|verify-full)"
    result = {}
    for key, value in environ.items():
        value = re.sub(rf"\bsslmode=({wanted})", "sslmode=disable", value)
        if re.fullmatch(r"(?:\w+_)?(?:PG)?SSL_?MODE", key) and re.fullmatch(wanted, value):
            value = "disable"
        result[key] = value
    return result


def read_config(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            values: dict[str, str] = json.load(file)
            return values
    except FileNotFoundError:
        return {}


def secrets_of(config: dict[str, str]) -> list[bytes]:
    """What must not be seen in a log, longest first: the values, and the longer lines of values that have several."""
    texts = {value for value in config.values() if len(value) >= SHORTEST_SECRET}
    texts |= {line for value in config.values() for line in value.splitlines() if len(line) >= 2 * SHORTEST_SECRET}
    return sorted((text.encode() for text in texts), key=len, reverse=True)


class Log:
    """A file that lines are appended to; past the limit it becomes `….1`, and begins anew."""

    def __init__(self, path: str, secrets: list[bytes]) -> None:
        self.path = path
        self.secrets = secrets
        self.file = self._open()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, line: bytes) -> None:
        for secret in self.secrets:
            line = line.replace(secret, MASK.encode())
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z "
        os.write(self.file, stamp.encode() + line + b"\n")
        if os.fstat(self.file).st_size > LOG_LIMIT:
            os.close(self.file)
            os.replace(self.path, f"{self.path}.1")
            self.file = self._open()


def pump(source: int, log: Log) -> None:
    """Copy lines until the last writer is gone."""
    rest = b""
    while data := os.read(source, LINE_LIMIT):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            log.write(line.rstrip(b"\r"))
        if len(rest) >= LINE_LIMIT:
            log.write(rest)
            rest = b""
    if rest:
        log.write(rest)


def start_pump(log: Log) -> int:
    """Fork the copying process, as nobody's child (a program that waits for all its children must not wait for this one)."""
    # Held until the copying ends, so that others can tell that the log is whole (flock(2): shared by forks, closed by exec).
    fcntl.flock(log.file, fcntl.LOCK_SH)
    source, sink = os.pipe()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os.close(source)
        return sink
    if os.fork():
        os._exit(0)
    try:
        os.setsid()
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(each, signal.SIG_IGN)
        os.dup2(source, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        keep = log.file
        os.closerange(3, keep)
        os.closerange(keep + 1, 4096)
        pump(0, log)
    finally:
        os._exit(0)


def demote(uid: int, gid: int) -> None:
    """Become another user, for servers that refuse root; on Linux keep the right to files (`CAP_DAC_OVERRIDE`).

    So root's folders need not be opened to that user. Where the kernel refuses, the plain change of user is what remains.
    """
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc:
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        bit = 1 << CAP_DAC_OVERRIDE
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        if libc.capset(header, sets) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def execute(argv: list[str], environ: dict[str, str]) -> NoReturn:
    """Replace this process, by one that gets its signals as in a container. Raises `OSError`.

    What is ignored here stays so in what is executed: Python ignores SIGPIPE, and a shell's background process SIGINT.
    """
    for each in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(each, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, environ)
    except FileNotFoundError:
        # A script whose interpreter has another place here (#!/usr/local/bin/python): its name is looked up on PATH.
        if "/" not in argv[0] or not os.path.exists(argv[0]):
            raise
        with open(argv[0], "rb") as file:
            first = file.readline(256).decode("utf-8", "replace")
        if not first.startswith("#!") or not first[2:].split():
            raise
        program, *rest = first[2:].split()
        os.execvpe(os.path.basename(program), [os.path.basename(program), *rest, *argv], environ)


def give_input(text: str) -> None:
    """Make `text` what the program reads from its standard input (a pipe holds it all, if it is short)."""
    source, sink = os.pipe()
    os.write(sink, text.encode())
    os.close(sink)
    os.dup2(source, 0)
    os.close(source)


def note_start(path: str) -> None:
    """Record who we are, so that the process can be told from another with the same id, and starts can be counted."""
    try:
        with open(path, encoding="utf-8") as file:
            starts = json.load(file)["starts"]
    except (OSError, ValueError, KeyError):
        starts = 0
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump({"pid": os.getpid(), "time": time.time(), "starts": starts + 1}, file)
    os.replace(f"{path}.new", path)


def run(launch: dict[str, Any], health: bool) -> NoReturn:
    config = read_config(launch["config"]) if launch.get("config") else {}
    log = Log(launch["log"], secrets_of(config))
    try:
        environ = {key: resolve(value, config) for key, value in launch["env"].items()}
        argv = [resolve(word, config) for word in (launch["health"] if health else launch["argv"])]
        text = resolve(launch["stdin"], config) if launch.get("stdin") is not None else None
    except KeyError as error:
        log.write(f"the configuration value {error.args[0]} is not set".encode())
        sys.exit(78)
    if launch.get("plain_postgres"):
        environ = without_tls(environ)
    argv = [expand_port(word, environ) for word in argv]
    try:
        os.chdir(launch["cwd"])
        if not health:
            note_start(launch["pid_file"])
            sink = start_pump(log)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            os.close(sink)
        if launch.get("uid") is not None:
            demote(launch["uid"], launch["gid"])
        if text is not None:
            give_input(text)
        os.umask(0o022)
        execute(argv, environ)
    except OSError as error:
        log.write(f"can't run {argv[0]!r}: {error.strerror}".encode())
        sys.exit(126 if isinstance(error, PermissionError) else 127)


def run_beside(launch: dict[str, Any], wish: dict[str, Any]) -> NoReturn:
    """Become another command where the program runs. What goes wrong is told on standard error."""
    config = read_config(launch["config"]) if launch.get("config") else {}
    try:
        environ = {key: resolve(value, config) for key, value in launch["env"].items()} | wish["env"]
    except KeyError as error:
        sys.stderr.write(f"the configuration value {error.args[0]} is not set\n")
        sys.exit(78)
    if launch.get("plain_postgres"):
        environ = without_tls(environ)
    argv = wish["argv"]
    try:
        if wish["terminal"]:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.chdir(wish["cwd"] or launch["cwd"])
        if launch.get("uid") is not None:
            demote(launch["uid"], launch["gid"])
        os.umask(0o022)
        execute(argv, environ)
    except OSError as error:
        sys.stderr.write(f"can't run {argv[0]!r}: {error.strerror}\n")
        sys.stderr.flush()
        sys.exit(126 if isinstance(error, PermissionError) else 127)


def main() -> None:
    if sys.argv[1] == "--as":
        demote(int(sys.argv[2]), int(sys.argv[3]))
        execute(sys.argv[4:], dict(os.environ))
    with open(sys.argv[1], encoding="utf-8") as file:
        launch = json.load(file)
    if "--beside" in sys.argv[2:]:
        run_beside(launch, json.loads(os.environ[BESIDE]))
    run(launch, health="--health" in sys.argv[2:])


if __name__ == "__main__":
    main()

"""The 0600 file that says how a program is started; `shim/launch.py` reads it."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from defang_nb.model.value import Json
from defang_nb.providers.local.process.engine import Engine, program
from defang_nb.providers.local.process.orphans import MARK

LAUNCHER = Path(__file__).parent / "shim" / "launch.py"


def write(
    engine: Engine,
    project: str,
    service: str,
    replica: int,
    *,
    argv: Sequence[Json],
    env: Mapping[str, Json],
    cwd: Path,
    stdin: Json = None,
    health: Sequence[str] = (),
    plain_postgres: bool = False,
    as_user: tuple[int, int] | None = None,
) -> Path:
    """Write it, and give its path. Values may be symbolic (`$config`, `$join`): they are resolved when the program starts."""
    name = program(project, service, replica)
    log = engine.log(project, service, replica)
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = engine.folder(project, service)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    launch = {
        "argv": list(argv),
        "env": {**env, MARK: f"{engine.paths.root}#{name}"},
        "cwd": str(cwd),
        "config": str(engine.config_file(project)),
        "log": str(log),
        "pid_file": str(engine.supervisor.pid_file(name)),
        "stdin": stdin,
        "health": list(health),
        "plain_postgres": plain_postgres,
        "uid": as_user[0] if as_user else None,
        "gid": as_user[1] if as_user else None,
    }
    path = folder / f"launch.{replica}.json"
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(launch, file, indent=1)
    temporary.rename(path)
    return path


def demoted(command: Sequence[str], user: tuple[int, int] | None) -> list[str]:
    """`command` to be run as `user` (None: as ourselves)."""
    if user is None:
        return list(command)
    return [sys.executable, "-I", "-S", str(LAUNCHER), "--as", str(user[0]), str(user[1]), *command]


def unprivileged() -> tuple[int, int] | None:
    """The user for servers that refuse root: None when we are not root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid

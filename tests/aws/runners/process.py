"""Tasks that are run as processes of this machine: cd's, above all, with this Python in place of its image's.

Each has an address of the loopback network, which is the public address of its task, so that two may listen at one port. Its
credentials are its task role's, and come the way that Fargate gives them.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.aws.ecs.task import Container
from tests.aws.runners.base import Run, StartError, environment_of

ROOT = Path(__file__).parents[3]
SHIM = Path(__file__).parent / "shim"
PATIENCE = 30.0
"""Seconds between SIGTERM and SIGKILL, where the task definition says nothing."""
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*")


@dataclass
class Process(Run):
    """One essential container, as one process. `url`: of the simulation."""

    url: str = ""
    ip: str = ""
    child: subprocess.Popen[str] | None = None
    folder: Path = field(default_factory=Path)

    def start(self) -> None:
        container = self.task.containers[0]
        self.folder = Path(tempfile.mkdtemp(prefix="task-"))
        self.ip = own_address()
        if self.task.interface is not None and self.task.interface.public_ip:
            self.task.interface.public_ip = self.ip
        try:
            self.child = subprocess.Popen(
                command(container),
                cwd=self.folder,
                env=self._environment(container),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as problem:
            raise StartError(f"CannotStartContainerError: Error response from daemon: {problem}") from None
        self.started = True
        self.health = {container.name: "HEALTHY"}
        threading.Thread(target=self._follow, args=(container, self.child), daemon=True).start()

    def stop(self) -> None:
        child = self.child
        if child is None:
            self.ended = True
        elif child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            patience = 0.0 if self.hasty else float(self.task.containers[0].definition.get("stopTimeout") or PATIENCE)
            timer = threading.Timer(patience, self._kill)
            timer.daemon = True
            timer.start()

    def address(self, port: int) -> tuple[str, int] | None:
        return self.ip, port

    def _kill(self) -> None:
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)

    def _follow(self, container: Container, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            self.tell(container, line.rstrip("\n"))
        code = child.wait()
        self._kill()  # what it started and left
        child.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.exits = {container.name: code if code >= 0 else 128 - code}
        self.ended = True

    def _environment(self, container: Container) -> dict[str, str]:
        """What a container of Fargate would find, and no more of this machine's own than it needs to run."""
        task = self.task
        own = {key: os.environ[key] for key in ("PATH", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE") if key in os.environ}
        given = {
            "HOME": str(self.folder),
            "DEFANG_NB_HOME": str(self.folder / "home"),
            "PYTHONPATH": f"{SHIM}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "SIMULATED_ADDRESS": self.ip,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": task.region,
            "AWS_DEFAULT_REGION": task.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/_simulation/metadata/{task.id}",
        }
        if task.role:
            given["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{self.url}/_simulation/credentials/{task.id}"
        return own | given | environment_of(task, container)


def command(container: Container) -> list[str]:
    """What to run: the task definition's words, with this Python where they name one, and cd where they name nothing."""
    definition = container.definition
    words = [*(definition.get("entryPoint") or ()), *(definition.get("command") or ())]
    if words and _PYTHON.fullmatch(words[0]):
        return [sys.executable, *words[1:]]
    if not words or words[0].startswith("-"):
        return [sys.executable, "-m", "defang_nb.cd", *words]
    return words


def own_address() -> str:
    """One of the loopback network's; 127.0.0.1 where a machine has no other."""
    address = f"127.{random.randrange(64, 250)}.{random.randrange(1, 250)}.{random.randrange(1, 250)}"
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return "127.0.0.1"
    return address

"""Somebody with a folder, a terminal and an account, for tests that use the command line as people do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.aws.handle import Counts, Simulation

SECRET = "hunter2-hunter2"
COMPOSE = """\
name: shop
services:
  web:
    image: nginx
    ports: [80]
    environment: {PASSWORD: , ANSWER: "1", API: "http://api:8000"}
    depends_on: {migrate: {condition: service_completed_successfully}}
  api: {build: ., expose: [8000], deploy: {replicas: 2}}
  migrate: {image: python, command: migrate, restart: "no"}
"""
STACK = "DEFANG_PROVIDER=aws\nAWS_REGION=eu-central-1\nDEFANG_CD_ALLOW=127.0.0.1\nDEFANG_CD_IDLE=60\n"


class User:
    def __init__(self, simulation: Simulation, folder: Path) -> None:
        self.simulation = simulation
        self.app = folder / "app"
        self.environment = simulation.environment() | {"DEFANG_NB_HOME": str(folder / "home")}
        self.counts = Counts({}, {})
        (self.app / ".defang").mkdir(parents=True)
        (self.app / ".defang" / "prod").write_text(STACK)
        (self.app / "compose.yaml").write_text(COMPOSE)
        (self.app / "Dockerfile").write_text("FROM python\nCOPY . .\n")
        (self.app / ".dockerignore").write_text("*\n!Dockerfile\n")

    def says(self, *words: str, code: int | None = 0) -> str:
        """What the command writes (`code` None: however it ends); the calls that it took are in `counts`."""
        before = self.simulation.counts()
        done = subprocess.run(
            self._command(*words), cwd=self.app, env=self.environment, capture_output=True, text=True, timeout=280
        )
        self.counts = self.simulation.counts() - before
        assert code in (None, done.returncode), done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def begins(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on meanwhile; it is over after the block."""
        with subprocess.Popen(
            self._command(*words),
            cwd=self.app,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as begun:
            try:
                yield begun
            finally:
                if begun.poll() is None:
                    begun.kill()

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "defang_nb", *words, "--stack", "prod"]

    def change(self, old: str, new: str) -> None:
        file = self.app / "compose.yaml"
        file.write_text(file.read_text().replace(old, new))

    def tasks(self, family: str) -> list[str]:
        client = self.simulation.client("ecs")
        return list(client.list_tasks(cluster="defang", family=family)["taskArns"])


def until_said(begun: subprocess.Popen[str], words: str) -> str:
    """What it has said when it says these `words`."""
    assert begun.stdout is not None
    said = ""
    for line in begun.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}:\n{said}")

"""The Compose loader: beside the reference on a large file, in the same run, as whole processes; and on a cell's few lines."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import MIB, row, tell

ROUNDS = 5
SMALL = """\
services:
  web:
    build: .
    ports: ["8000"]
    environment:
      DATABASE_URL: postgresql://db/app
    depends_on: [db]
  db:
    image: postgres:16
    x-defang-postgres: true
"""
SERVICE = """\
  s{n}:
    <<: *common
    image: "registry.example.com/apps/s{n}:${{TAG:-1.{n}}}"
    command: ["serve", "--port", "{port}", "--name=s{n}"]
    environment:
      NAME: s{n}
      LEVEL: ${{LEVEL:-info}}
      DATABASE: postgres://app@s0:5432/app
      WORKERS: {few}
      EMPTY: ""
    labels:
      - team=t{few}
      - tier=web
    ports:
      - "{published}:{port}"
      - target: 9090
        mode: host
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:{port}/"]
      interval: 10s
      timeout: 5s
      retries: 3
    deploy:
      replicas: {few}
      resources:
        reservations:
          cpus: "0.5"
          memory: 512M
    networks: [front, back]
    volumes:
      - data:/var/lib/data
      - ./conf/s{n}:/etc/app:ro
"""
CELL = """
import time
from defang_nb.client import api
text = {text!r}
rounds = []
for _ in range(30):
    begun = time.perf_counter()
    api.check(text=text, name="cell")
    rounds.append(time.perf_counter() - begun)
print(sorted(rounds)[15])
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-") as place:
        folder = Path(place)
        environment = {**os.environ, "DEFANG_NB_HOME": str(folder / "home"), "DEFANG_ENGINE": "process"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        (folder / "Dockerfile").write_text('FROM python:3-slim\nCOPY . .\nCMD ["python", "-m", "http.server", "8000"]\n')
        done = subprocess.run(
            [sys.executable, "-c", CELL.format(text=SMALL)], env=environment, cwd=folder, capture_output=True, text=True
        )
        row("a ten-line cell, checked in a warm kernel", float(done.stdout) * 1000, 10, "ms")
        files = {count: big(folder, count) for count in (1_000, 10_000)}
        ours = [sys.executable, "-m", "defang_nb", "compose", "config", "--as-compose"]
        beside_reference(ours, files[1_000])
        small, small_memory = measured([*ours, "-f", str(files[1_000])])
        large, large_memory = measured([*ours, "-f", str(files[10_000])])
        tell("   ten times as many: times the time", f"{large / small:.1f} ×", "linear: 10 ×")
        tell("   ten times as many: times the memory", f"{large_memory / small_memory:.1f} ×", "linear: 10 ×")
        tell("   memory for 10,000 services", f"{large_memory / MIB:.0f} MiB")


def beside_reference(ours: list[str], file: Path) -> None:
    lines = len(file.read_text().splitlines())
    what = f"compose config, 1,000 services, {lines:,} lines"
    program = reference()
    if program is None:
        tell(what, f"{measured([*ours, '-f', str(file)])[0]:.2f} s", "no reference")
        return
    theirs = statistics.median(measured([program, "-f", str(file), "config"])[0] for _ in range(ROUNDS))
    own = statistics.median(measured([*ours, "-f", str(file)])[0] for _ in range(ROUNDS))
    row(what, own, None, "s")
    row("   as a part of docker compose's time in this run", own / theirs * 100, 50, "%")


def reference() -> str | None:
    """docker compose's program; None, with a word why, where it can't be had."""
    script = Path(__file__).with_name("reference.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    sys.stderr.write(done.stderr)
    return done.stdout.strip() or None


def measured(command: list[str]) -> tuple[float, int]:
    """Seconds of the whole process, and the most bytes that it held in memory."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return took, usage.ru_maxrss * 1024


def big(folder: Path, count: int) -> Path:
    """A generated file of that many services, each with something of everything that is common."""
    services = [
        SERVICE.format(n=n, port=8000 + n % 1000, published=10_000 + n, few=1 + n % 5)
        + (f"    depends_on:\n      s{n - 1}:\n        condition: service_healthy\n" if n % 10 else "")
        for n in range(count)
    ]
    head = "name: big\nx-common: &common\n  restart: unless-stopped\n  logging:\n    driver: json-file\nservices:\n"
    file = folder / f"{count}.yaml"
    file.write_text(head + "".join(services) + "networks:\n  front:\n  back:\nvolumes:\n  data:\n")
    return file

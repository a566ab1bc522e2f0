"""`make bench`, the container engine's part: `up` beside `docker compose up -d` on the same engine, in one run.

Medians of five rounds, in which each is taken by turns. Ours is asked in a kernel that did one `up` before, as a notebook has
it; Compose is a whole command. The engine is one of our own, from Debian's docker.io, which writes down every call.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from table import heading, tell  # noqa: E402

from tests.e2e.dockerd import Dockerd, UnavailableError, started  # noqa: E402

ROUNDS = 5
SERVICES, BUILDS = 20, 5
CALL = b"Calling "
LINES = 400
WRITER = "while read up idle < /proc/uptime; do echo $up; usleep 20000; done"


def main() -> int:
    heading()
    reference = _reference()
    if not reference:
        tell("containers: not measured, there is no", "docker compose")
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="defang-nb-bench-", ignore_cleanup_errors=True) as folder:
            own = Path(folder)
            with started(own / "engine", options=("--debug",)) as engine:
                engine.have("busybox")
                with _environment(engine, own):
                    Bench(engine, reference, own).run()
    except UnavailableError as error:
        tell("containers: not measured", str(error).splitlines()[0])
    return 0


class Bench:
    """Two copies of the same project, one for each program."""

    def __init__(self, engine: Dockerd, reference: list[str], folder: Path) -> None:
        self.engine = engine
        self.reference = reference
        self.ours, self.theirs = folder / "ours", folder / "theirs"

    def run(self) -> None:
        import defang_nb

        version = subprocess.run([*self.reference, "version", "--short"], capture_output=True, text=True).stdout.strip()
        tell("containers, beside docker compose", version)
        self.write(_compose(SERVICES))
        self.up()
        self.compose("up", "-d")
        calls = self.calls(self.up)
        ratio(f"{SERVICES} services, nothing changed", *turns(self.up, self.up_theirs), 1.0)
        tell("   calls to the engine", str(calls), "5", f"{calls / 5:.2f}")
        values = iter(range(1000))

        def change(up: Callable[[], None]) -> Callable[[], None]:
            def changed() -> None:
                self.write(_compose(SERVICES, value=next(values)))
                up()

            return changed

        ratio("   one service changed", *turns(change(self.up), change(self.up_theirs)), 1.1)
        cold = turns(
            self.up, self.up_theirs,
            before=lambda: (defang_nb.down("ours", yes=True, working_dir=self.ours), self.down_theirs()),
        )  # fmt: skip
        ratio(f"   {SERVICES} containers from nothing", *cold, 1.0)
        self.logs()
        defang_nb.down("ours", yes=True, working_dir=self.ours)
        self.down_theirs()
        self.builds()

    def builds(self) -> None:
        import defang_nb

        self.write(_builds())
        self.up()
        self.compose("up", "-d", "--build")
        up_build = lambda: self.compose("up", "-d", "--build")  # noqa: E731
        ratio(f"{BUILDS} builds, nothing changed", *turns(self.up, up_build), 0.3)
        defang_nb.down("ours", yes=True, working_dir=self.ours)
        self.down_theirs()

    def logs(self) -> None:
        """How late a line is that a service writes, at its reader."""
        import defang_nb

        self.write(
            f"services:\n  clock:\n    image: busybox\n    command: [sh, -c, '{WRITER.replace('$', '$$')}']\n    init: true\n"
        )
        self.up()
        late = []
        for record in defang_nb.logs(working_dir=self.ours, follow=True, since=time.time()):
            late.append((time.clock_gettime(time.CLOCK_BOOTTIME) - float(record.line)) * 1000)
            if len(late) == LINES:
                break
        worst = statistics.quantiles(late, n=100)[98]
        tell("a followed log line, to its reader (p99)", f"{worst:.0f} ms", "50 ms", f"{worst / 50:.2f}")

    def write(self, text: str) -> None:
        for folder in (self.ours, self.theirs):
            folder.mkdir(exist_ok=True)
            (folder / "compose.yaml").write_text(text)
            for number in range(BUILDS):
                context = folder / f"app{number}"
                context.mkdir(exist_ok=True)
                (context / "Dockerfile").write_text(f"FROM busybox\nCOPY . /app\nRUN echo {number} > /number\n")
                (context / "main.py").write_text("print(1)\n" * 1000)

    def up(self) -> None:
        import defang_nb

        defang_nb.up(working_dir=self.ours)

    def up_theirs(self) -> None:
        self.compose("up", "-d")

    def down_theirs(self) -> None:
        """Once more where the engine lets go of a container a moment too late for Compose ("has active endpoints")."""
        try:
            self.compose("down", "-t", "0")
        except SystemExit:
            self.compose("down", "-t", "0")

    def compose(self, *arguments: str) -> None:
        done = subprocess.run([*self.reference, *arguments], cwd=self.theirs, capture_output=True, text=True, timeout=300)
        if done.returncode:
            sys.exit(f"docker compose {' '.join(arguments)}: {done.stderr}")

    def calls(self, action: Callable[[], None]) -> int:
        """How often the engine is called meanwhile."""
        log = self.engine.folder / "log"
        before = log.read_bytes().count(CALL)
        action()
        return log.read_bytes().count(CALL) - before


def _compose(services: int, value: int = 0) -> str:
    lines = ["services:"]
    for number in range(services):
        lines += [
            f"  s{number}:",
            "    image: busybox",
            "    command: [sleep, '3600']",
            "    stop_grace_period: 0s",
            "    environment:",
        ]
        lines += [f"      VALUE: '{value if number == 0 else 0}'"]
    return "\n".join(lines) + "\n"


def _builds() -> str:
    lines = ["services:"]
    for number in range(BUILDS):
        lines += [f"  b{number}:", f"    build: app{number}", "    command: [sleep, '3600']", "    stop_grace_period: 0s"]
    return "\n".join(lines) + "\n"


def turns(
    ours: Callable[[], None], theirs: Callable[[], None], before: Callable[[], object] = lambda: None
) -> tuple[float, float]:
    """Seconds, medians. Each finds the machine at rest, and what `before` leaves: neither pays for what the other began.

    Who is first in a round is second in the next.
    """
    taken: tuple[list[float], list[float]] = [], []
    for number in range(ROUNDS):
        order = [(ours, taken[0]), (theirs, taken[1])]
        for action, into in order[:: -1 if number % 2 else 1]:
            before()
            rest()
            begun = time.perf_counter()
            action()
            into.append(time.perf_counter() - begun)
    return statistics.median(taken[0]), statistics.median(taken[1])


def rest() -> None:
    """Until nine tenths of the processors are idle for a moment: the engine lets go of containers after it has said so.

    On a machine that others use it goes on after some seconds.
    """
    deadline = time.monotonic() + 10
    while psutil.cpu_percent(0.25) > 10 and time.monotonic() < deadline:
        pass


def ratio(what: str, ours: float, theirs: float, bar: float) -> None:
    tell(what, f"{ours:.2f} s", f"{theirs:.2f} s × {bar:g}", f"{ours / theirs / bar:.2f}")


@contextmanager
def _environment(engine: Dockerd, folder: Path) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(engine.environment)
    os.environ.update(DEFANG_NB_HOME=str(folder / "home"), DEFANG_ENGINE="docker", DEFANG_CD_IDLE="600")
    from defang_nb.client import loop
    from defang_nb.model.stack import LOCAL
    from defang_nb.providers.registry import provider_for

    try:
        yield
    finally:
        loop.run(provider_for(LOCAL).stop_cd())
        os.environ.clear()
        os.environ.update(before)


def _reference() -> list[str]:
    """The plugin of an installed `docker`, else Debian's package, unpacked."""
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py")], capture_output=True, text=True)
    return [done.stdout.strip()] if done.returncode == 0 else []


if __name__ == "__main__":
    raise SystemExit(main())

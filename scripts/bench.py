"""`make bench`: speed and memory as a table, each beside what it is to stay under. Figures to compare, never a test.

Everything is measured from outside, as a user meets it: fresh interpreters, the command line, `ps`. The apps' packages are
fetched once before anything is measured, so that the figures are those of a warm package cache; and Python may keep its
bytecode, as where a program is installed. The best of a few rounds counts: what else the machine does can only add.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bench_compose
import psutil
from leftovers import processes_of, wait_until_gone
from table import MIB, ROUNDS, best, heading, row, tell

ROOT = Path(__file__).parents[1]
APPS = ROOT / "notebooks" / "apps"
HEAVY = ("grpc", "boto3", "docker", "ipywidgets", "IPython", "cryptography", "msgspec")

LOAD_EXTENSION = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
begun = time.perf_counter()
shell.run_line_magic("load_ext", "defang_nb")
print(time.perf_counter() - begun)
"""
FIRST_ANSWER = """
import asyncio, time
from defang_nb.client.channel import Cd
from defang_nb.model.stack import Stack
from defang_nb.providers.registry import provider_for

async def main():
    provider = provider_for(Stack(name="local", provider="local"))
    begun = time.perf_counter()
    cd = Cd(await provider.launch_cd())
    await cd.info()
    print(time.perf_counter() - begun)
    await cd.close()
    await provider.stop_cd()

asyncio.run(main())
"""
STOP_CD = """
import asyncio
from defang_nb.model.stack import LOCAL
from defang_nb.providers.registry import provider_for

asyncio.run(provider_for(LOCAL).stop_cd())
"""
UP_AGAIN = """
import time, defang_nb
defang_nb.up({compose!r})
rounds = []
for _ in range({rounds}):
    begun = time.perf_counter()
    defang_nb.up({compose!r})
    rounds.append(time.perf_counter() - begun)
print(min(rounds))
"""
ADDED_MEMORY = """
import psutil
from IPython.core.interactiveshell import InteractiveShell
import ipywidgets
shell = InteractiveShell.instance()
before = psutil.Process().memory_info().rss
shell.run_line_magic("load_ext", "defang_nb")
import defang_nb
deployment = defang_nb.up({compose!r})
print(psutil.Process().memory_info().rss - before)
"""


def main() -> int:
    heading()
    imports()
    bench_compose.main()
    with home() as folder:
        row("cd, from launch to its first answer", best(lambda: float(python(FIRST_ANSWER, folder))), 1, "s")
    with home() as folder:
        api(folder)
    with home() as folder:
        shop(folder)
    return 0


def imports() -> None:
    bare = best(lambda: timed("pass"), 9)
    ours = best(lambda: timed("import defang_nb"), 9)
    row("import defang_nb, over bare Python", (ours - bare) * 1000, 100, "ms")
    tell("   the same, as many times bare Python's own start", f"{ours / bare:.2f} ×")
    loaded = python(f"import sys, defang_nb; print(*[name for name in {HEAVY!r} if name in sys.modules])").strip()
    tell("   heavy modules that it loads", loaded or "none", "none")
    row("%load_ext defang_nb, over bare IPython", best(lambda: float(python(LOAD_EXTENSION)) * 1000), 150, "ms")


def api(folder: Path) -> None:
    """FastAPI and Postgres: up, again, and with one value changed."""
    app = Path(shutil.copytree(APPS / "api", folder / "api"))
    compose = app / "compose.yaml"
    defang(folder, "config", "set", "POSTGRES_PASSWORD", "--random", "-p", "api")
    up(folder, compose)
    added = int(python(ADDED_MEMORY.format(compose=str(compose)), folder))
    row("client, added to a kernel's memory by an up", added / MIB, 60, "MiB")
    row("cd, resident memory", cd_memory(folder) / MIB, 100, "MiB")
    row("api (FastAPI, Postgres), nothing changed, whole command", best(lambda: up(folder, compose)), 1, "s")
    again = float(python(UP_AGAIN.format(compose=str(compose), rounds=ROUNDS), folder))
    row("   the same in a kernel that did one before", again, 1, "s")
    row("   the same, whole command, with cd's launch", best(lambda: first_of_cd(folder, compose)), None, "s")
    before = pids(folder)
    compose.write_text(compose.read_text().replace("    environment:\n", "    environment:\n      CHANGED: yes\n", 1))
    took = up(folder, compose)
    after = pids(folder)
    changed = [name for name in after if after[name] != before.get(name)]
    row("api, one environment value changed", took, None, "s")
    tell("   services that were restarted", ", ".join(changed), "api")
    row("api, from nothing to live, warm package cache", best(lambda: from_nothing(folder, "api", compose)), 5, "s")
    defang(folder, "down", "-p", "api", "--yes")


def shop(folder: Path) -> None:
    for key in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        defang(folder, "config", "set", key, "--random", "-p", "shop")
    compose = APPS / "shop" / "compose.yaml"
    up(folder, compose)
    row("shop (six services), from nothing to live, warm", best(lambda: from_nothing(folder, "shop", compose)), 20, "s")
    defang(folder, "down", "-p", "shop", "--yes")


@contextmanager
def home() -> Iterator[Path]:
    """A stack's folder, with everything ended and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        python(STOP_CD, Path(folder))
        wait_until_gone(Path(folder))


def python(code: str, folder: Path | None = None) -> str:
    """What a fresh interpreter prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(folder), check=True, stdout=subprocess.PIPE, text=True, timeout=600
    )
    return done.stdout.splitlines()[-1] if done.stdout.strip() else ""


def timed(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment(None), check=True)
    return time.perf_counter() - begun


def defang(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "defang_nb", *arguments]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, timeout=600)
    if done.returncode:
        sys.exit(f"defang-nb {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def up(folder: Path, compose: Path) -> float:
    """Seconds for the whole command, its own start among them."""
    begun = time.perf_counter()
    defang(folder, "up", "-f", str(compose))
    return time.perf_counter() - begun


def from_nothing(folder: Path, project: str, compose: Path) -> float:
    """Seconds of an `up` of what was taken down before, while cd is there."""
    defang(folder, "down", "-p", project, "--yes")
    return up(folder, compose)


def first_of_cd(folder: Path, compose: Path) -> float:
    """Seconds of an `up` that has to launch cd."""
    python(STOP_CD, folder)
    return up(folder, compose)


def environment(folder: Path | None) -> dict[str, str]:
    """cd is to stay for as long as anything is measured."""
    own = {"DEFANG_NB_HOME": str(folder), "DEFANG_CD_IDLE": "600", "DEFANG_ENGINE": "process"} if folder else {}
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | own


def pids(folder: Path) -> dict[str, list[int]]:
    found = [json.loads(line) for line in defang(folder, "ps", "--json").splitlines()]
    return {each["service"]: each["pids"] for each in found}


def cd_memory(folder: Path) -> int:
    """Bytes that the running cd keeps in memory."""
    for process in processes_of(folder):
        try:
            if re.search(r"-m defang_nb\.cd\b", " ".join(process.cmdline())):
                return int(process.memory_info().rss)
        except psutil.Error:
            continue
    return 0


if __name__ == "__main__":
    sys.exit(main())

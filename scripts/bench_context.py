"""`make bench`, the build contexts' part: digest and archive beside the programs that people use for it, in one run.

The context is 15,000 files of 170 MB: pieces of Python's own library, and a part that does not compress. Medians of five
rounds, in which each way is taken by turns. Needs `tar`, `gzip`, `zstd` and `sha256sum`.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from table import MIB, heading, row, tell  # noqa: E402

from defang_nb.build import archive, manifest  # noqa: E402

FILES, BYTES = 15_000, 170 * MIB
LARGE = 5 * 1024 * MIB
ROUNDS = 5
LIMIT = {"DEFANG_BUILD_CONTEXT_LIMIT": "10G"}
MEMORY = """
import os, sys, psutil, threading, pathlib
import msgspec, gzip, tarfile, hashlib, concurrent.futures
from defang_nb.build import archive, manifest
process = psutil.Process()
before = most = process.memory_info().rss
done = threading.Event()
def watch():
    global most
    while not done.wait(0.02):
        most = max(most, process.memory_info().rss)
watching = threading.Thread(target=watch)
watching.start()
archive(manifest(pathlib.Path(sys.argv[1]), environ={"DEFANG_BUILD_CONTEXT_LIMIT": "10G"}), pathlib.Path(sys.argv[2]))
done.set()
watching.join()
print(most - before)
"""


def main() -> int:
    heading()
    if missing := [each for each in ("tar", "gzip", "zstd", "sha256sum") if not shutil.which(each)]:
        tell("build contexts: not measured, there is no", ", ".join(missing))
        return 0
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-") as folder:
        speed(Path(folder))
        memory(Path(folder))
    return 0


def speed(folder: Path) -> None:
    context, stamps, packed = folder / "context", folder / "stamps", folder / "packed"
    make(context)
    found = manifest(context, cache=stamps, environ=LIMIT)
    time.sleep(2.1)  # what was written just now may change again without its time telling, and is not remembered
    manifest(context, cache=stamps, environ=LIMIT)
    ways: dict[str, Callable[[], object]] = {
        "hashed": lambda: shell(f"tar -C {context} -c . | gzip -6 | sha256sum"),
        "digest": lambda: manifest(context, environ=LIMIT),
        "again": lambda: manifest(context, cache=stamps, environ=LIMIT),
        "zstd": lambda: shell(f"tar -C {context} -c . | zstd -q -3 -T0 > {packed}.zst"),
        "archive": lambda: archive(found, packed),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - begun)
    median = {name: statistics.median(each) for name, each in taken.items()}
    tell("tar | gzip -6 | sha256sum, of 15,000 files, 170 MB", f"{median['hashed']:.2f} s")
    against("context's digest, as a part of that", median["digest"], median["hashed"], 0.1)
    against("   the same with the hashes of unchanged files kept", median["again"], median["hashed"], 0.1)
    tell("tar | zstd -3 -T0, of the same files", f"{median['zstd']:.2f} s")
    against("context's archive, as a part of that", median["archive"], median["zstd"], 1.2)


def memory(folder: Path) -> None:
    context = folder / "large"
    context.mkdir()
    for number in range(5):
        with (context / f"data{number}.bin").open("wb") as file:
            file.truncate(LARGE // 5)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(context), str(folder / "large.tar.gz")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    row("   memory for a context of 5 GB, over the interpreter", int(done.stdout) / MIB, 64, "MiB")


def against(what: str, measured: float, beside: float, bar: float) -> None:
    """A figure as a part of another, beside what that part is to stay under."""
    part = measured / beside
    tell(what, f"{part:.3f} ×", f"{bar:g} ×", f"{part / bar:.2f}")


def make(context: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - the same files each time
    text = b"".join(each.read_bytes() for each in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")))
    for number in range(FILES):
        folder = context / f"package{number // 500}" / f"part{number // 25 % 20}"
        folder.mkdir(parents=True, exist_ok=True)
        size = max(64, int(chance.expovariate(FILES / BYTES)))
        start = chance.randrange(max(1, len(text) - size))
        content = text[start : start + size] if number % 10 < 8 else chance.randbytes(size)
        (folder / f"module{number}.py").write_bytes(content)


def shell(command: str) -> None:
    subprocess.run(["/bin/sh", "-c", command], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`, the notebook's part: what a deployment that is written much about costs the kernel, the browser and the file.

A real kernel, whose messages are counted as its front end gets them; a real cd on the process engine.
"""

from __future__ import annotations

import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bench_browser
import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from leftovers import wait_until_gone
from table import MIB, heading, row, tell

SERVICES, AT_ONCE = 10, 4
"""Services whose images are built, and how many builds the engine runs at the same time."""

A_SECOND = 10_000
"""Lines that all of them write."""

SECONDS = float(os.environ.get("SECONDS", "60"))
LINES = int(A_SECOND * SECONDS / SERVICES)
SHOWN = ("comm_msg", "comm_open", "comm_close", "display_data", "update_display_data")
FLOOD = """
import sys, time
begun, told = time.monotonic(), 0
while told < {lines}:
    due = min({lines}, int((time.monotonic() - begun) * {a_second}))
    for each in range(told, due):
        sys.stdout.write(f"{{each:06}} INFO request handled path=/api/items/{{each}} status=200\\n")
    sys.stdout.flush()
    told = due
    time.sleep(0.02)
"""
DOCKERFILE = """FROM python:3-slim
WORKDIR /app
COPY . .
ARG NAME
RUN python flood.py
CMD ["sleep", "infinity"]
"""
STOP_CD = """
import asyncio
from defang_nb.model.stack import LOCAL
from defang_nb.providers.registry import provider_for
asyncio.run(provider_for(LOCAL).stop_cd())
"""


def main() -> int:
    heading()
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-", ignore_cleanup_errors=True) as folder:
        flood(Path(folder))
    with tempfile.TemporaryDirectory(prefix="defang-nb-bench-", ignore_cleanup_errors=True) as folder:
        bench_browser.main(Path(folder))
    return 0


def flood(folder: Path) -> None:
    """Builds that write ten thousand lines a second, in a cell that does not wait for them."""
    app = folder / "app"
    app.mkdir()
    (app / "flood.py").write_text(FLOOD.format(lines=LINES, a_second=A_SECOND / AT_ONCE))
    (app / "Dockerfile").write_text(DOCKERFILE)
    services = {f"s{each}": {"build": {"context": ".", "args": {"NAME": f"s{each}"}}} for each in range(SERVICES)}
    (app / "compose.yaml").write_text(json.dumps({"name": "flood", "services": services}))
    with kernel(folder) as front:
        front.run("%load_ext defang_nb\nimport os")
        front.run("%defang ls")
        process = psutil.Process(int(front.run("print(os.getpid())")))
        before = process.memory_info().rss
        front.run(f"dep = %defang up --detach -f {app / 'compose.yaml'}")
        front.until("print(any(each.log.lines for each in dep.view.builds.values()))", "True")
        asked: list[float] = []
        front.forget()
        begun = time.monotonic()
        while time.monotonic() < begun + 0.9 * SECONDS:
            asked.append(front.asked("6 * 7"))
            time.sleep(0.1)
        took = time.monotonic() - begun
        shown = front.shown()
        row(f"{A_SECOND:,} lines a second: to the browser", sum(shown) / took / 1000, 50, "KB/s")
        row("   messages to it, a second", len(shown) / took, 10, "/s")
        row("   a cell that is run meanwhile, p99", 1000 * percentile(asked, 99), 100, "ms")
        row("   the same, median", 1000 * statistics.median(asked), None, "ms")
        front.run("dep.wait(check=False)", patience=4 * SECONDS + 60)
        row("   what the kernel's memory grew by", (process.memory_info().rss - before) / MIB, 50, "MiB")
        stored = front.run(COUNT, patience=300)
        tell("   lines that the store has, of those written", stored, f"{SERVICES * LINES}")


COUNT = """
from defang_nb.model.events import BuildLine
lines = (each.payload for each in dep.story() if isinstance(each.payload, BuildLine))
print(sum(" INFO request" in line for each in lines for line in (each.line, *each.more)))
"""


@dataclass
class Front:
    """A kernel's front end, that counts what it is told to show."""

    client: BlockingKernelClient
    sizes: list[int] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    texts: dict[str, str] = field(default_factory=dict)
    idle: queue.Queue[str] = field(default_factory=queue.Queue)

    def listen(self) -> None:
        while not self.ended.is_set():
            try:
                message = self.client.get_iopub_msg(timeout=0.5)
            except queue.Empty:
                continue
            self.hear(message)

    def hear(self, message: dict[str, Any]) -> None:
        parent = str(message["parent_header"].get("msg_id", ""))
        match message["msg_type"]:
            case "stream":
                self.texts[parent] = self.texts.get(parent, "") + message["content"]["text"]
            case "error":
                self.texts[parent] = "\n".join(message["content"]["traceback"])
            case "status" if message["content"]["execution_state"] == "idle":
                self.idle.put(parent)
            case kind if kind in SHOWN:
                self.sizes.append(len(json.dumps(message["content"])) + sum(len(each) for each in message.get("buffers", ())))

    def run(self, code: str, patience: float = 120) -> str:
        asked = self.client.execute(code)
        while self.idle.get(timeout=patience) != asked:
            pass
        return self.texts.pop(asked, "").strip()

    def asked(self, code: str) -> float:
        """Seconds until a cell's answer."""
        begun = time.perf_counter()
        self.run(code)
        return time.perf_counter() - begun

    def until(self, code: str, wanted: str) -> None:
        while self.run(code) != wanted:
            time.sleep(0.2)

    def forget(self) -> None:
        self.sizes = []

    def shown(self) -> list[int]:
        return self.sizes


@contextmanager
def kernel(folder: Path) -> Iterator[Front]:
    own = {"DEFANG_NB_HOME": str(folder / "home"), "DEFANG_CD_IDLE": "600", "DEFANG_ENGINE": "process"}
    environment = os.environ | own | {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder)}
    manager = KernelManager()
    manager.kernel_cmd = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]  # type: ignore[attr-defined]
    manager.start_kernel(env=environment, cwd=str(folder))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    front = Front(client)
    listener = threading.Thread(target=front.listen, daemon=True)
    listener.start()
    try:
        yield front
    finally:
        front.run("import defang_nb; defang_nb.down('flood', yes=True)")
        subprocess.run([sys.executable, "-c", STOP_CD], env=environment, check=True)  # a kernel's thread has a loop already
        front.ended.set()
        listener.join()
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        wait_until_gone(folder / "home")


def percentile(values: list[float], part: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * part // 100)]


if __name__ == "__main__":
    sys.exit(main())

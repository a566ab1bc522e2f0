"""A real kernel, a real cd: what interrupting a cell and losing the kernel do to a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")  # jupyter_client's own, at its end

PATIENCE = 60.0
"""Seconds to wait for anything; a deployment takes one or two."""

COMPOSE = """%%compose
name: slow
services:
  web:
    build: ./app
    ports: [{target: 8000, mode: ingress}]
"""
DOCKERFILE = """FROM python:3-slim
WORKDIR /app
COPY . .
RUN python wait.py
CMD ["python", "-m", "http.server", "8000"]
"""
WAIT = """import pathlib, sys, time
print("waiting for the word", flush=True)
while not pathlib.Path({word!r}).exists():
    time.sleep(0.05)
"""


class Kernel:
    """Runs cells and collects what they show; `shown` grows while a cell runs."""

    def __init__(self, folder: Path) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder))
        self._client: BlockingKernelClient = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)
        self.shown = ""
        self.changed_by: set[str] = set()
        """The messages (cells, clicks) that changed what stood in an output already, as the kernel says."""
        self.displayed: list[dict[str, str]] = []
        self._buttons: dict[str, str] = {}

    def run(self, cell: str) -> None:
        """Until the cell is over; everything that it showed is in `shown`."""
        self.until_idle(self.begin(cell))

    def begin(self, cell: str, *, named: str | None = None) -> str:
        """Send it, as a front end that calls its cell `named`; the message's id."""
        self.shown = ""
        content = {"code": cell, "silent": False, "store_history": True, "stop_on_error": True}
        message = self._client.session.msg("execute_request", content, metadata={"cellId": named})
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def until(self, words: str) -> None:
        """Take in what is shown until `words` are."""
        while words not in self.shown:
            self._take()

    def until_idle(self, message: str) -> None:
        """Take in what is shown until the cell sent as `message` is over."""
        while not self._take(message):
            pass

    def _take(self, message: str = "") -> bool:
        """Take in one thing shown; whether it says that `message` is over. Fails when nothing comes for long."""
        try:
            got = self._client.get_iopub_msg(timeout=PATIENCE)
        except Empty:
            pytest.fail(f"nothing came for {PATIENCE:g} s; shown until then: {self.shown}")
        content = got["content"]
        if got["msg_type"] == "comm_open" and (name := content["data"].get("state", {}).get("description")):
            self._buttons[name] = content["comm_id"]
        if got["msg_type"] == "display_data":
            self.displayed.append(content["data"])
        if got["msg_type"] == "update_display_data":
            self.changed_by.add(got["parent_header"]["msg_id"])
        self.shown += content.get("text", "") + "".join(map(str, content.get("data", {}).values()))
        self.shown += "\n".join(content.get("traceback", ()))
        return bool(got["parent_header"].get("msg_id") == message and content.get("execution_state") == "idle")

    def click(self, button: str) -> None:
        """As a front end that knows of no subshells does, on the channel on which it sends cells."""
        data = {"method": "custom", "content": {"event": "click"}}
        message = self._client.session.msg("comm_msg", {"comm_id": self._buttons[button], "data": data})
        self._client.shell_channel.send(message)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def kill(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    app = tmp_path / "app"
    app.mkdir()
    (app / "Dockerfile").write_text(DOCKERFILE)
    (app / "wait.py").write_text(WAIT.format(word=str(tmp_path / "word")))
    return tmp_path


@pytest.fixture
def kernels(folder: Path) -> Iterator[list[Kernel]]:
    started: list[Kernel] = []
    yield started
    for kernel in started:
        kernel.kill()


def test_a_deployment_outlives_the_interrupted_cell_and_its_kernel(folder: Path, kernels: list[Kernel]) -> None:
    first = Kernel(folder)
    kernels.append(first)
    first.run("%load_ext defang_nb")
    first.run(COMPOSE)
    running = first.begin("dep = %defang up")
    first.until("waiting for the word")
    first.interrupt()
    first.until_idle(running)
    assert "goes on" in first.shown
    assert "%defang attach" in first.shown
    assert "%defang cancel" in first.shown
    assert "Traceback" not in first.shown
    kernels.remove(first)
    first.kill()

    (folder / "word").touch()
    second = Kernel(folder)
    kernels.append(second)
    second.run("%load_ext defang_nb")
    second.run("dep = %defang attach")
    second.run("print([event.sequence for event in dep.events] == list(range(1, len(dep.events) + 1)), dep.status, end='!')")
    assert "True" in second.shown
    second.run("import urllib.request; print(urllib.request.urlopen(dep.endpoints['web']).status)")
    assert "200" in second.shown
    second.run("%defang exec -p slow -e WORD=secret-word web sh -c 'echo to $WORD; echo oops >&2; exit 3'")
    assert "to secret-word\n" in second.shown
    assert "oops\n" in second.shown
    assert "CommandFailedError: sh in web ended with exit code 3" in second.shown
    measuring = second.begin("%defang stats -p slow")
    second.until("<svg")
    second.until("<polyline")
    second.interrupt()
    second.until_idle(measuring)
    assert "Traceback" not in second.shown
    second.run("down = %defang down -p slow")
    second.run("print('outcome', down.outcome.value)")
    assert "outcome succeeded" in second.shown


@pytest.mark.parametrize("named", [None, "vscode-notebook-cell:/it.ipynb#W2"])
def test_a_click_on_cancel_is_heard_while_the_cell_runs(folder: Path, kernels: list[Kernel], named: str | None) -> None:
    kernel = Kernel(folder)
    kernels.append(kernel)
    kernel.run("%load_ext defang_nb")
    kernel.run(COMPOSE)
    running = kernel.begin("dep = %defang up", named=named)
    kernel.until("waiting for the word")
    kernel.click("Cancel")
    kernel.until_idle(running)
    assert "cancelled" in kernel.shown
    assert kernel.changed_by == (set() if named else {running})  # VS Code drops what would come of the click, and may drop all
    assert any("cancelled" in each["text/plain"] for each in kernel.displayed) == bool(named)

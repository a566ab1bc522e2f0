"""A real Jupyter server, whose kernels use a stack of their own."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Lab:
    """A JupyterLab server over `folder`."""

    url: str
    token: str
    folder: Path

    application: str = "lab"

    def address(self, notebook: str) -> str:
        if self.application == "notebook":
            return f"{self.url}/notebooks/{notebook}?token={self.token}"
        return f"{self.url}/lab/tree/{notebook}?token={self.token}&reset"

    def request(self, path: str, method: str = "GET", body: object = None) -> Any:
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.url}/{path}", data=data, headers=headers, method=method), timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def shut_kernels_down(self) -> None:
        for session in self.request("api/sessions"):
            self.request(f"api/sessions/{session['id']}", "DELETE")


@contextlib.contextmanager
def running_lab(environment: Mapping[str, str], tmp_path: Path, *, application: str = "lab") -> Iterator[Lab]:
    """JupyterLab (or Jupyter's other `application`) over a copy of the notebooks, with settings of its own."""
    folder = tmp_path / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__"))
    settings = tmp_path / "settings"
    write_setting(settings, "apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False})
    write_setting(settings, "notebook-extension/tracker", {"windowingMode": "none"})
    write_setting(settings, "docmanager-extension/plugin", {"autosave": False})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    it = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), folder, application)
    log = (tmp_path / "lab.log").open("w")
    environment = {
        **environment,
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_TOKEN": it.token,
    }
    command = [sys.executable, "-m", "jupyter", application, "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for_lab(it, server, tmp_path / "lab.log")
        yield it
        it.shut_kernels_down()
    finally:
        end(server)
        log.close()


def end(server: subprocess.Popen[bytes]) -> None:
    """After its loop has ended, a worker thread of anyio can keep the server's process for ever."""
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def write_setting(folder: Path, plugin: str, values: Mapping[str, object]) -> None:
    file = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values))


def wait_for_lab(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            lab.request("api/status")
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")

"""A real registry for the tests: Debian's docker-registry on a port of its own, its process kept; with passwords if wanted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.e2e.dockerd import Dockerd, without
from tests.e2e.packages import UnavailableError, install, one_at_a_time

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import kaniko as kaniko_script

PASSWORD = "lovelace"
HASHED = "ada:$2b$05$abcdefghijklmnopqrstuuugyJgZetmHGvxwCJ1rpgM8bgT8KJ8.i"
"""A line of htpasswd (bcrypt): the user ada, with that password."""


@dataclass(frozen=True)
class Registry:
    address: str

    def manifest(self, repository: str, tag: str) -> dict[str, object]:
        with urlopen(f"http://{self.address}/v2/{repository}/manifests/{tag}", timeout=10) as answer:
            found: dict[str, object] = json.load(answer)
        return found

    def give(self, dockerd: Dockerd, *images: str) -> None:
        """Push base images, as the hub names them (`library/busybox`)."""
        for image in images:
            dockerd.docker("tag", image, f"{self.address}/library/{image}")
            dockerd.docker("push", "-q", f"{self.address}/library/{image}")


@contextlib.contextmanager
def serving(folder: Path, *, passwords: bool = False) -> Iterator[Registry]:
    """Raises `UnavailableError` where there is none."""
    install("docker-registry", program="docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    if passwords:
        (folder / "htpasswd").write_text(f"{HASHED}\n")
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    file = folder / f"registry-{port}.yml"
    file.write_text(json.dumps(config))
    with (folder / f"registry-{port}.log").open("wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", str(file)], stdout=log, stderr=log)
    try:
        _wait(server, port)
        yield Registry(f"127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder / "registry", ignore_errors=True)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
            return
        except HTTPError as refused:
            refused.close()
            return  # it asks for a password: it is there
        except (URLError, OSError):
            time.sleep(0.1)
    raise UnavailableError("docker-registry did not start")


@pytest.fixture(scope="session")
def registry(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that has `busybox`, as a mirror of the hub would; `give` it more."""
    with contextlib.ExitStack() as stack:
        try:
            it = stack.enter_context(serving(tmp_path_factory.mktemp("registry")))
        except UnavailableError as problem:
            without(f"no registry for the tests: {problem}")
        it.give(dockerd, "busybox")
        yield it


@pytest.fixture(scope="session")
def kaniko(dockerd: Dockerd) -> str:
    """The name of an image with the real executor, on the engine."""
    given = os.environ.get("DEFANG_KANIKO_IMAGE", "")
    if given:
        return given
    try:
        with one_at_a_time("kaniko"):
            program = kaniko_script.executor()
    except kaniko_script.KanikoError as problem:
        without(f"no Kaniko for the tests: {problem}")
    with dockerd.client() as client:
        kaniko_script.make_image(client, program)
    return kaniko_script.TAG

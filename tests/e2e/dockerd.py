"""A real Docker engine for the tests: the one that answers here, else one of our own from Debian's package docker.io.

Our own one has its socket, data, bridge and addresses to itself, so that it lives beside any other on the machine. It is
started by hand, its process is kept, and it is ended by that. Where none can be had the tests are skipped, and fail in CI.

    with started(folder) as engine:         # an engine for a program
        engine.have("python:3.12-slim")
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from docker.errors import DockerException, NotFound

from tests.e2e import bases
from tests.e2e.packages import UnavailableError, install

PATIENCE = 60.0
BRIDGES = "dnb"


@dataclass
class Dockerd:
    """An engine at `host` (a value for DOCKER_HOST). `own`: it was started here, and can be stopped, killed and started."""

    host: str
    own: bool = False
    folder: Path = Path()
    data: Path = Path()
    bridge: str = ""
    net: str = ""
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def gateway(self) -> str:
        """Where containers of the default network reach programs of this machine that listen on all addresses."""
        return f"{self.net}.255.1" if self.own else "172.17.0.1"

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, with this engine as the one that programs find."""
        hidden = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
        return {key: value for key, value in os.environ.items() if key not in hidden} | {"DOCKER_HOST": self.host}

    @contextlib.contextmanager
    def client(self, timeout: float = 120) -> Iterator[Any]:
        client = docker.DockerClient(base_url=self.host, timeout=timeout)
        try:
            yield client
        finally:
            client.close()

    @cached_property
    def version(self) -> str:
        """Of its API."""
        with self.client() as client:
            return str(client.version()["ApiVersion"])

    def connect(self) -> Any:
        """A new client that asks nothing as it is made: one that gets no answer then would leak its connection."""
        return docker.APIClient(base_url=self.host, version=self.version)

    def have(self, *images: str) -> None:
        """Make sure of base images. Raises `UnavailableError`."""
        with self.client() as client:
            bases.ensure(client, *images)

    def docker(self, *arguments: str, check: bool = True, data: bytes | None = None) -> str:
        """Run the `docker` program against this engine; what it wrote."""
        done = subprocess.run(["docker", *arguments], env=self.environment, capture_output=True, input=data, timeout=300)
        if check and done.returncode:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout.decode()

    def start(self) -> None:
        """Start the engine of this folder (again), and wait until it answers."""
        command = ["dockerd", "-H", self.host, "--data-root", str(self.data), "--exec-root", str(self.folder / "exec")]
        command += ["-p", str(self.folder / "pid"), "--bridge", self.bridge, "--iptables=false", "--ip6tables=false"]
        command += ["--default-address-pool", f"base={self.net}.0.0/17,size=24", *self.options]
        (self.folder / "pid").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            # Without what tells a test's own processes, which end with it: one that restarts the engine does not own it.
            environment = {key: value for key, value in os.environ.items() if not key.startswith("DEFANG_")}
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, env=environment
            )
        deadline = time.monotonic() + PATIENCE
        while not answers(self.host):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = (self.folder / "log").read_text(errors="replace").splitlines()
                raise UnavailableError("dockerd did not start:\n" + "\n".join(said[-8:]))
            time.sleep(0.1)

    def stop(self, *, kill: bool = False) -> None:
        """End the engine. With `kill` it has no time to end its containers: they go on, and `start` finds them."""
        if self.process is None:
            return
        self.process.kill() if kill else self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        # A killed engine takes its containerd along; what this file names may be a zombie, which the next engine waits for.
        (self.folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def restart(self, *, kill: bool = False) -> None:
        self.stop(kill=kill)
        self.start()

    def clear(self) -> None:
        """Remove every container, network and volume (our own engine only)."""
        assert self.own, "not on an engine that others use"
        with self.client() as client:
            for container in client.containers.list(all=True, ignore_removed=True):
                with contextlib.suppress(NotFound):
                    container.remove(force=True, v=True)
            for network in client.networks.list():
                if network.name not in ("bridge", "host", "none"):
                    network.remove()
            for volume in client.volumes.list():
                volume.remove(force=True)


def answers(host: str) -> bool:
    """Whether an engine does. By a socket of its own where it can, since a client whose first call fails leaks one."""
    if not host.startswith("unix://"):
        try:
            with Dockerd(host).client(timeout=5):
                return True
        except (DockerException, OSError):
            return False
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.settimeout(5)
            connection.connect(host.removeprefix("unix://"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False


@contextlib.contextmanager
def started(folder: Path, *, data: Path | None = None, options: tuple[str, ...] = ()) -> Iterator[Dockerd]:
    """An engine of our own with its data below `folder` (or in `data`). Raises `UnavailableError` with what is missing."""
    install("docker.io", program="dockerd")
    install("iproute2", program="ip")
    bridge, net = _bridge()
    # The paths of sockets may be about a hundred characters long, which a test's own folder is already.
    own = Path(tempfile.mkdtemp(prefix="dnb-"))
    engine = Dockerd(f"unix://{own}/docker.sock", True, own, data or folder / "data", bridge, net, options)
    nat = ["POSTROUTING", "-s", f"{net}.0.0/16", "!", "-d", f"{net}.0.0/16", "-j", "MASQUERADE"]
    try:
        _run("iptables", "-t", "nat", "-A", *nat)
        engine.start()
        yield engine
        if not answers(engine.host):
            engine.restart()
        engine.clear()
    finally:
        engine.stop()
        subprocess.run(["iptables", "-t", "nat", "-D", *nat], capture_output=True)
        subprocess.run(["ip", "link", "delete", bridge], capture_output=True)
        _end_left(own)
        _unmount(engine.data)
        _unmount(own)
        shutil.rmtree(engine.data, ignore_errors=True)
        shutil.rmtree(own, ignore_errors=True)


def found() -> str:
    """The host of an engine that answers already, as the `docker` program would find it; "" when none does.

    Nor is there one for tests that run beside others: they would have containers of the same names.
    """
    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1 and os.geteuid() == 0:
        return ""
    for host in (os.environ.get("DOCKER_HOST", ""), "unix:///var/run/docker.sock"):
        if host and answers(host):
            return host
    return ""


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """An engine with `busybox` and a stand-in for `python:3.12-slim`; DOCKER_HOST is not set (see `Dockerd.environment`)."""
    folder = tmp_path_factory.mktemp("dockerd")
    with contextlib.ExitStack() as stack:
        try:
            host = found()
            engine = Dockerd(host) if host else stack.enter_context(started(folder))
            engine.have("busybox", "python:3.12-slim")
        except UnavailableError as problem:
            without(f"no Docker engine for the tests: {problem}")
        yield engine


def without(why: str) -> None:
    """What the tests need is not to be had: in CI that is a failure, elsewhere they are skipped."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _bridge() -> tuple[str, str]:
    """A new bridge, and the first two numbers of its addresses (a /16): the first that nobody has."""
    if os.geteuid() != 0:
        raise UnavailableError("starting one needs root")
    for number in range(100, 200):
        name, net = f"{BRIDGES}{number}", f"10.{number}"
        if subprocess.run(["ip", "link", "add", "name", name, "type", "bridge"], capture_output=True).returncode == 0:
            _run("ip", "address", "add", f"{net}.255.1/24", "dev", name)
            _run("ip", "link", "set", name, "up")
            return name, net
    raise UnavailableError("no bridge can be made here (ip link add … type bridge)")


def _end_left(folder: Path) -> None:
    """What watches over the containers of an engine that was killed, where that outlived both."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd().startswith(f"{folder}/"):
                process.kill()


def _unmount(folder: Path) -> None:
    """What a killed engine left mounted: its folder, bound to itself, and what a build had."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed(places):
        if place == str(folder) or place.startswith(f"{folder}/"):
            subprocess.run(["umount", place], capture_output=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UnavailableError(f"{' '.join(command)}: {done.stderr.strip()}")

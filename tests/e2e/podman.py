"""A Podman of the tests' own: Debian's package, its service started by hand, with images and containers to itself."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.dockerd import Dockerd, answers
from tests.e2e.packages import UnavailableError, install

PATIENCE = 60.0


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Dockerd]:
    """Its socket, which speaks what Docker's does. Raises `UnavailableError` with what is missing."""
    if os.geteuid() != 0:
        raise UnavailableError("starting one of the tests' own needs root")
    install("podman", "netavark", "aardvark-dns", "catatonit", program="podman")
    install("docker.io", program="docker")
    own = Path(tempfile.mkdtemp(prefix="dnb-podman-"))  # a socket's path may be about a hundred characters long
    settings = own / "containers.conf"
    settings.write_text(f'[containers]\ndefault_ulimits = [{_limits()}]\n[network]\nnetwork_backend = "netavark"\n')
    base = ["podman", f"--root={folder / 'data'}", f"--runroot={own / 'run'}", f"--network-config-dir={own / 'networks'}"]
    base += ["--cgroup-manager=cgroupfs", "--events-backend=file", f"--tmpdir={own / 'tmp'}"]
    host = f"unix://{own}/podman.sock"
    environment = os.environ | {"CONTAINERS_CONF": str(settings)}
    with (own / "log").open("wb") as log:
        service = subprocess.Popen([*base, "system", "service", "--time=0", host], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(host):
            if service.poll() is not None or time.monotonic() > deadline:
                raise UnavailableError(f"podman does not start: {(own / 'log').read_text(errors='replace')[-500:]}")
            time.sleep(0.1)
        yield Dockerd(host)
    finally:
        service.terminate()
        service.wait(PATIENCE)
        for command in (["rm", "--all", "--force", "--time=0"], ["network", "prune", "--force"]):
            subprocess.run([*base, *command], env=environment, capture_output=True, timeout=PATIENCE)
        subprocess.run([*base, "image", "umount", "--all", "--force"], env=environment, capture_output=True, timeout=PATIENCE)
        shutil.rmtree(folder / "data", ignore_errors=True)
        shutil.rmtree(own, ignore_errors=True)


def _limits() -> str:
    """What containers get, no more than this process may give: Podman's own limits may be higher."""
    most = {"nofile": min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]), "nproc": 1024}
    return ", ".join(f'"{name}={limit}:{limit}"' for name, limit in most.items())

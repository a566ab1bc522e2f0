"""Base images where no hub is reachable: made once from Debian's packages, kept below the cache folder, and imported.

They stand in for what the tests' Dockerfiles name. `python:3.12-slim` is Debian with its own Python 3 (whatever its version)
and apt, as the real one is; and the machine's certificates, for networks that have authorities of their own.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound

from tests.e2e.packages import UnavailableError, install

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PIP_FREE = 'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED'
PYTHON_LINKS = 'for each in python3 python pip; do ln -sf /usr/bin/$each "$1"/usr/local/bin/$each; done'
DEBIAN = ("ca-certificates", "python3", "python3-pip", "python3-venv", "python-is-python3")
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
        client.api.import_image_from_file(str(_rootfs(repository)), repository=repository, tag=tag or "latest", changes=changes)


def _changes(repository: str) -> list[str]:
    if repository == "busybox":
        return ["CMD sh", "ENV PATH=/bin"]
    names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return ["CMD python3", "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8"] + [
        f"ENV {name}={CERTIFICATES}" for name in names
    ]


def _rootfs(repository: str) -> Path:
    """The tar of an image's files, from the cache folder or made now."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "defang-nb" / "bases"
    cache.mkdir(parents=True, exist_ok=True)
    recipe = hashlib.sha256(repr((DEBIAN, UNWANTED, PIP_FREE, PYTHON_LINKS, _suite())).encode()).hexdigest()[:12]
    path = cache / f"{repository.replace('/', '-')}-{recipe}.tar"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            made = Path(folder) / "rootfs.tar"
            match repository:
                case "busybox":
                    _busybox(made)
                case "python" | "debian":
                    _debian(made)
                case _:
                    raise UnavailableError(f"the tests can't make the image {repository}")
            made.replace(path)
    return path


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


def _debian(path: Path) -> None:
    install("mmdebstrap", program="mmdebstrap")
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(DEBIAN)}", '--aptopt=Acquire::Languages "none"']
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in UNWANTED]
    command += [f"--customize-hook={PIP_FREE}", f"--customize-hook={PYTHON_LINKS}"]
    if Path(CERTIFICATES).exists():
        command.append(f'--customize-hook=cp {CERTIFICATES} "$1"{CERTIFICATES}')
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

"""Make an image with Kaniko's executor, compiled by Go's own installer, for tests where no registry has it.

    python scripts/kaniko.py [--tag TAG]

Needs Go and a Docker engine. What the clouds use is the maintained fork, at the version below. Where Go's module proxy does
not have that one, the last release of the original is compiled instead, and the name of the program says so.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import docker

FORK = "github.com/osscontainertools/kaniko", "v1.28.3"
ORIGINAL = "github.com/GoogleContainerTools/kaniko", "v1.24.0"
TAG = "defang-nb/kaniko:test"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/kaniko",
    "HOME": "/root",
    "USER": "root",
    "SSL_CERT_DIR": "/kaniko/ssl/certs",
    "DOCKER_CONFIG": "/kaniko/.docker/",
}


class KanikoError(Exception):
    """The executor can't be made here; says why."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tag", default=TAG, help=f"what to call the image (default: {TAG})")
    given = parser.parse_args()
    try:
        program = executor()
    except KanikoError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    client = docker.DockerClient.from_env()
    make_image(client, program, given.tag)
    client.close()
    sys.stdout.write(f"{given.tag}: {program.name}\n")
    return 0


def executor() -> Path:
    """The program, from the cache folder or compiled now (some minutes); its name says which release it is.

    Raises `KanikoError`.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "defang-nb" / "kaniko"
    cache.mkdir(parents=True, exist_ok=True)
    for release in (FORK, ORIGINAL):
        path = _place(cache, release)
        if path.exists():
            return path
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if not go:
        raise KanikoError("there is no Go (1.24 or newer) to compile Kaniko's executor with")
    problems = []
    for release in (FORK, ORIGINAL):
        try:
            return _compile(go, release, _place(cache, release))
        except KanikoError as error:
            problems.append(str(error))
    raise KanikoError("\n".join(problems))


def _place(cache: Path, release: tuple[str, str]) -> Path:
    return cache / f"{release[0].split('/')[1].lower()}-{release[1]}"


def _compile(go: str, release: tuple[str, str], path: Path) -> Path:
    """`go install` where the proxy lists the module; else the same from a module that asks for that version alone."""
    module, version = release
    with tempfile.TemporaryDirectory(prefix="defang-nb-kaniko-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        own = {"GOPATH": str(work / "path"), "GOBIN": str(work / "bin"), "GOCACHE": str(work / "cache"), "CGO_ENABLED": "0"}
        own["GOFLAGS"] = "-modcacherw"
        environment = os.environ | own
        flags = ["-ldflags=-s -w"]

        def run(*arguments: str, cwd: Path = work) -> subprocess.CompletedProcess[str]:
            return subprocess.run([go, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)

        done = run("install", *flags, f"{module}/cmd/executor@{version}")
        if done.returncode:
            got = run("mod", "download", "-json", f"{module}@{version}")
            if got.returncode:
                raise KanikoError(f"go install {module}/cmd/executor@{version}: {_last(done)}")
            [requirements] = (work / "path" / "pkg" / "mod" / "cache" / "download").rglob(f"{version}.mod")
            own_module = work / "module"
            own_module.mkdir()
            lines = requirements.read_text().splitlines()
            lines = [f"module executor // built from {module}", *(line for line in lines if not line.startswith("module "))]
            (own_module / "go.mod").write_text("\n".join([*lines, f"require {module} {version}", ""]))
            found = work / "bin" / "executor"
            done = run("build", "-mod=mod", *flags, "-o", str(found), f"{module}/cmd/executor", cwd=own_module)
            if done.returncode:
                raise KanikoError(f"go build {module}/cmd/executor: {_last(done)}")
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        shutil.copy(work / "bin" / "executor", temporary)
        temporary.replace(path)
    return path


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["failed"])[-1]


def make_image(client: Any, program: Path, tag: str = TAG) -> None:
    """A scratch image with the executor, and the certificates of this machine."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as scratch:
        with tarfile.open(fileobj=scratch, mode="w") as tar:
            for folder, mode in (("tmp", 0o1777), ("root", 0o700), ("workspace", 0o755), ("kaniko/.docker", 0o755)):
                info = tarfile.TarInfo(folder)
                info.type, info.mode = tarfile.DIRTYPE, mode
                tar.addfile(info)
            info = tarfile.TarInfo("kaniko/executor")
            info.mode, info.size = 0o755, program.stat().st_size
            with program.open("rb") as file:
                tar.addfile(info, file)
            if CERTIFICATES.exists():
                content = CERTIFICATES.read_bytes()
                info = tarfile.TarInfo("kaniko/ssl/certs/ca-certificates.crt")
                info.mode, info.size = 0o644, len(content)
                tar.addfile(info, io.BytesIO(content))
        scratch.flush()
        repository, _, name = tag.rpartition(":")
        environment = " ".join(f"{key}={value}" for key, value in ENVIRONMENT.items())
        changes = ['ENTRYPOINT ["/kaniko/executor"]', "WORKDIR /workspace", f"ENV {environment}"]
        client.api.import_image_from_file(scratch.name, repository=repository, tag=name, changes=changes)


if __name__ == "__main__":
    raise SystemExit(main())

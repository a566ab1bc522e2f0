"""Contexts in temporary folders, built offline with this interpreter; packages are wheels made on the spot."""

import sys
import zipfile
from pathlib import Path

import pytest

from defang_nb.build import archive, prepare
from defang_nb.model.project import Build, Project, Service
from defang_nb.providers.local.process.images.builder import ImageBuilder
from defang_nb.providers.local.process.images.machine import Machine

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def machine():
    return Machine(pythons={MINOR: sys.executable}, programs=frozenset())


@pytest.fixture
def write(tmp_path):
    """Write a context's files; gives its folder."""

    def write(**files):
        folder = tmp_path / "context"
        for name, text in files.items():
            path = folder / {"Dockerfile": "Dockerfile"}.get(
                name, name.replace("__", "/").replace("_py", ".py").replace("_txt", ".txt")
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("python:PY", f"python:{MINOR}"))
        return folder

    return write


@pytest.fixture
def wheel(tmp_path):
    """Make a wheel of one module below the context; gives its file name."""

    def wheel(name, text="", version="1.0"):
        file = tmp_path / "context" / f"{name}-{version}-py3-none-any.whl"
        file.parent.mkdir(exist_ok=True)
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(file, "w") as zipped:
            zipped.writestr(f"{name}.py", text)
            zipped.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            zipped.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            zipped.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
        return file.name

    return wheel


class Bench:
    """Builds contexts and keeps what was said."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.folder = folder
        self.builder = ImageBuilder(folder / "stack" / "images", machine)
        self.lines: list[str] = []
        self.steps: list[tuple[str, bool]] = []

    def emit(self, line, step=0, steps=0, cached=False):
        self.lines.append(line)
        if step:
            self.steps.append((line, cached))

    def prepared(self, context, args=None, target=""):
        build = Build(context=str(context), args=args or {}, target=target)
        return prepare(Project(name="p", services={"web": Service(name="web", build=build)}))[0]

    async def build(self, context, *, args=None, values=None, target=""):
        prepared = self.prepared(context, args, target)
        packed = self.folder / f"{prepared.source.digest}.tar.gz"
        archive(prepared.manifest, packed)
        plain = {key: "".join(part for part in text if isinstance(part, str)) for key, text in (args or {}).items()}
        return await self.builder.build(prepared.source, packed, self.emit, args=plain | (values or {}))

    @property
    def text(self):
        return "\n".join(self.lines)


@pytest.fixture
def bench(tmp_path, machine, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return Bench(tmp_path, machine)

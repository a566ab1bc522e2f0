"""Virtual environments made once and used by every image that needs the same packages: the layer cache of this engine.

A virtual environment can't be moved, so it is made where it stays, in a folder named by a hash of all that goes into it. A lock
keeps two builds from making the same one; a mark says that it is whole. A later installation in the same image (a second
`pip install`) is another environment, in which the earlier ones are repeated: with uv's cache that is a matter of moments.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import uv

from defang_nb.errors import BuildError
from defang_nb.providers.local.process.images.process import in_thread, run

_MARK = ".defang-complete"
_POLL = 0.1
KEEP_SECONDS = 24 * 3600.0
"""An environment that no image uses is kept at least so long after its last use."""

# Of the surroundings, what would make uv work on another environment than the one that is meant.
_CONFUSING = frozenset(
    (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PYTHONPATH",
        "PYTHONHOME",
        "UV_PROJECT_ENVIRONMENT",
        "UV_SYSTEM_PYTHON",
        "UV_PYTHON",
        "UV_PROJECT",
    )
)


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One installation. `key` holds all that its result depends on; `files` (name → text) are written beside the environment,
    and named in `command` as `{files}/name`; `{uv}` and `{venv}` in it are put in, too.
    """

    key: str
    command: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    line: int = 0


class Venvs:
    """The environments in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, python: str, layers: Sequence[Layer], exclude_newer: str) -> Path:
        """Where the environment with those layers is, or will be."""
        inputs = [os.path.realpath(python), exclude_newer, *(layer.key for layer in layers)]
        return self.folder / hashlib.sha256(msgspec.json.encode(inputs)).hexdigest()[:24]

    def is_made(self, python: str, layers: Sequence[Layer], exclude_newer: str) -> bool:
        return (self.path(python, layers, exclude_newer) / _MARK).exists()

    async def make(self, python: str, layers: Sequence[Layer], exclude_newer: str, on_line: Callable[[str], None]) -> Path:
        """Make sure that the environment exists, and give its path. Raises `BuildError` when an installation fails."""
        path = self.path(python, layers, exclude_newer)
        mark = path / _MARK
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with _locked(self.folder / f"{path.name}.lock"):
            if not mark.exists():
                await in_thread(lambda: shutil.rmtree(path, ignore_errors=True))
                try:
                    await self._fill(path, python, layers, exclude_newer, on_line)
                except BaseException:
                    await in_thread(lambda: shutil.rmtree(path, ignore_errors=True))
                    raise
            mark.touch()
        return path

    async def _fill(
        self, path: Path, python: str, layers: Sequence[Layer], exclude_newer: str, on_line: Callable[[str], None]
    ) -> None:
        program = str(uv.find_uv_bin())
        words = [program, "venv", "--quiet", "--no-project", "--no-config", "--python", python, str(path)]
        if await run(words, cwd=self.folder, env=_surroundings({}, path, exclude_newer), on_line=on_line):
            raise BuildError(f"can't make a virtual environment with {python}")
        (path / "bin" / "uv").symlink_to(program)
        files = path / ".defang"
        for index, layer in enumerate(layers):
            places = {"{uv}": program, "{venv}": str(path), "{files}": str(files / str(index))}
            for name, text in layer.files.items():
                (files / str(index)).mkdir(parents=True, exist_ok=True)
                (files / str(index) / name).write_text(text, encoding="utf-8")
            words = [_put_in(word, places) for word in layer.command]
            env = _surroundings(layer.env, path, exclude_newer)
            last = index == len(layers) - 1
            if code := await run(words, cwd=Path(layer.cwd), env=env, on_line=on_line if last else _quiet):
                raise BuildError(f"installing packages failed (exit code {code})")


def prune(venvs: Path, images: Path, now: float | None = None) -> list[Path]:
    """Remove environments that no image below `images` uses and that were not used for a day; blocking. Those removed."""
    from defang_nb.providers.local.process.images.image import IMAGE_FILE, load

    used = {image.venv for each in images.glob(f"*/{IMAGE_FILE}") if (image := load(each.parent))}
    oldest = (time.time() if now is None else now) - KEEP_SECONDS
    gone = [each for each in venvs.glob("*") if each.is_dir() and str(each) not in used and _last_use(each) < oldest]
    for each in gone:
        shutil.rmtree(each, ignore_errors=True)
        (venvs / f"{each.name}.lock").unlink(missing_ok=True)
    return gone


def _last_use(path: Path) -> float:
    mark = path / _MARK
    return (mark if mark.exists() else path).stat().st_mtime


def _quiet(_line: str) -> None:
    """Repeated installations were shown when they were made first."""


def _put_in(word: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        word = word.replace(name, value)
    return word


def _surroundings(own: Mapping[str, str], venv: Path, exclude_newer: str) -> dict[str, str]:
    """The environment variables of an installation: this process's, the image's, and those that say where to install."""
    env = {key: value for key, value in os.environ.items() if key not in _CONFUSING}
    env |= {key: value for key, value in own.items() if not key.startswith("UV_") or "INDEX" in key}
    for theirs, ours in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_EXTRA_INDEX_URL", "UV_INDEX")):
        if theirs in env:
            env.setdefault(ours, env[theirs])
    env |= {"VIRTUAL_ENV": str(venv), "UV_PROJECT_ENVIRONMENT": str(venv), "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
    env["PATH"] = f"{venv}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if exclude_newer:
        env["UV_EXCLUDE_NEWER"] = exclude_newer
    return env


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """Hold the lock file; waits without blocking the loop, across processes."""
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_POLL)
        yield

"""What this machine has to run things with: Python interpreters by minor version, node, other programs on PATH."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

FALLBACK_VARIABLE = "DEFANG_PYTHON_FALLBACK"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`pythons`: minor version ("3.11") → interpreter. `node`: the program ("" : none) and `node_major` its version ("20").

    `programs` are the other ones that builds may use and that are on PATH; `fallback`: another Python minor is acceptable.
    """

    pythons: Mapping[str, str] = {}
    node: str = ""
    node_major: str = ""
    programs: frozenset[str] = frozenset()
    fallback: bool = False

    @property
    def default_python(self) -> str:
        """The minor version for who asks for none: the one that runs this program."""
        own = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return own if own in self.pythons else max(self.pythons, key=_numbers, default="")

    def nearest_python(self, wanted: str) -> str:
        """The minor version that is closest to `wanted`, newer ones first; "" when there is none at all."""
        minor = _numbers(wanted)[-1]
        return min(self.pythons, key=lambda it: (abs(_numbers(it)[-1] - minor), -_numbers(it)[-1]), default="")


def look(environ: Mapping[str, str] | None = None) -> Machine:
    """Look at this machine: files only, except for asking node for its version once."""
    environ = os.environ if environ is None else environ
    path = environ.get("PATH", os.defpath)
    node = shutil.which("node", path=path) or ""
    return Machine(
        pythons=dict(_pythons(path, environ)),
        node=node,
        node_major=_node_major(node, Path(node).stat().st_mtime_ns) if node else "",
        programs=frozenset(name for name in ("npm", "npx", "yarn", "pnpm", "corepack") if shutil.which(name, path=path)),
        fallback=environ.get(FALLBACK_VARIABLE, "").lower() in ("1", "true", "yes"),
    )


def _pythons(path: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Minor versions and interpreters; later ones win, so the best come last."""
    home = Path(environ.get("HOME", "") or Path.home())
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
    for folder in (pyenv / "versions", uv):
        for install in sorted(folder.glob("*3.*"), key=lambda each: _numbers(each.name)):
            if match := re.match(r"(?:cpython-)?(3\.\d+)(?:\.\d+)?(?:$|-)", install.name):
                program = install / "bin" / f"python{match[1]}"
                if os.access(program, os.X_OK):
                    yield match[1], str(program)
    for folder_name in reversed(path.split(os.pathsep)):
        # pyenv's shims answer to every name, and then say that the version is not chosen.
        if folder_name and Path(folder_name) != pyenv / "shims":
            for program in Path(folder_name).glob("python3.*"):
                if re.fullmatch(r"python3\.\d+", program.name) and os.access(program, os.X_OK):
                    yield program.name.removeprefix("python"), str(program)
    yield f"{sys.version_info[0]}.{sys.version_info[1]}", sys.executable


@functools.lru_cache(maxsize=4)
def _node_major(program: str, _modified: int) -> str:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.match(r"v(\d+)", answer.stdout)
    return match[1] if match else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version)) or (0,)

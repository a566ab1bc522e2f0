"""An installation of a recipe as a layer of a virtual environment: its command, and everything that its result depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from defang_nb.errors import BuildError
from defang_nb.providers.local.process.images.pip import (
    SUBSTITUTES,
    is_local,
    locked,
    requirement_name,
    requirements,
    substituted,
)
from defang_nb.providers.local.process.images.steps import Packages
from defang_nb.providers.local.process.images.venvs import Layer

_LOCKS = {
    "uv": ("pyproject.toml", "uv.lock"),
    "poetry": ("pyproject.toml", "poetry.lock"),
    "pipenv": ("Pipfile", "Pipfile.lock"),
}
_WITHOUT_SETUPTOOLS = 12
"""The Python 3 minor from which on the official images come without setuptools."""
_DEBIAN_WHEELS = Path("/usr/share/python-wheels")
_FILE_OPTIONS = ("-r", "--requirement", "-c", "--constraint")


def layer_of(
    action: Packages, cwd: Path, env: Mapping[str, str], place: Callable[[str], Path], say: Callable[[str], None]
) -> Layer:
    """The layer for `action` run in `cwd`. `place` says where a container path is; `say` is told what is done differently.

    Raises `BuildError` for a requirements file that is not there.
    """
    if action.tool == "pip":
        return _pip(action, cwd, env, place, say)
    files = {name: _digest(cwd / name) for name in _LOCKS[action.tool] if (cwd / name).is_file()}
    words = action.words
    if action.tool == "uv":
        whole = "--no-install-project" not in words
        command = (
            "{uv}",
            "sync",
            "--inexact",
            "--no-editable",
            "--no-managed-python",
            *(each for each in words if each not in _UV_DROPPED),
        )
    else:
        whole = "--no-root" not in words and action.tool == "poetry"
        command = (f"{{venv}}/bin/{action.tool}", *words)
    inputs = [action.tool, words, sorted(files.items()), _tree_digest(cwd) if whole else ""]
    return Layer(key=_key(inputs), command=command, cwd=str(cwd), env=env)


_UV_DROPPED = frozenset(("--no-cache", "--no-editable", "--compile-bytecode", "--inexact", "-q", "--quiet"))


def preinstalled(python: str, version: str) -> tuple[Layer, ...]:
    """What the official image of `version` has beside pip: before 3.12 setuptools, whose pkg_resources programs still import.

    It is the wheel that comes with the interpreter `python`; without one, the last release of the index that the images had.
    """
    if int(version.partition(".")[2]) >= _WITHOUT_SETUPTOOLS:
        return ()
    bundled = Path(python).resolve().parent.parent / f"lib/python{version}/ensurepip/_bundled"
    wheels = [wheel for folder in (bundled, _DEBIAN_WHEELS) for wheel in sorted(folder.glob("setuptools-*.whl"))]
    wanted = ("--offline", "--no-index", str(wheels[0])) if wheels else ("setuptools<80",)
    command = ("{uv}", "pip", "install", "--quiet", "--no-config", *wanted)
    return (Layer(key=_key(["preinstalled", wanted]), command=command, cwd="/"),)


def _pip(
    action: Packages, cwd: Path, env: Mapping[str, str], place: Callable[[str], Path], say: Callable[[str], None]
) -> Layer:
    command: list[str] = ["{uv}", "pip", "install", "--no-config"]
    files: dict[str, str] = {}
    inputs: list[object] = ["pip"]
    rest = list(action.words)
    while rest:
        word = rest.pop(0)
        if word in _FILE_OPTIONS and rest:
            option, name = word, rest.pop(0)
            lines = _requirements(place(name), name, place, say)
            files[f"{len(files)}.txt"] = "".join(f"{line}\n" for line in lines)
            command += [option, f"{{files}}/{len(files) - 1}.txt"]
            inputs += [option, [_tree_digest(Path(each.partition("[")[0])) if is_local(each) else each for each in lines]]
        elif is_local(word):
            path = place(word.partition("[")[0])
            command.append(f"{path}{word[len(word.partition('[')[0]) :]}")
            inputs += [word, _tree_digest(path)]
        else:
            if requirement_name(word) in SUBSTITUTES:
                _say_substitute(requirement_name(word), say)
            command.append(substituted(word))
            inputs.append(substituted(word))
    return Layer(key=_key(inputs), command=tuple(command), cwd=str(cwd), env=env, files=files)


def _requirements(file: Path, name: str, place: Callable[[str], Path], say: Callable[[str], None]) -> list[str]:
    try:
        raw = {requirement_name(line) for line in file.read_text(encoding="utf-8-sig").splitlines()}
        lines = locked(file) if file.name == "poetry.lock" else requirements(file, place)
    except (OSError, ValueError) as error:
        raise BuildError(f"can't read the requirements file {name}: {error}") from error
    for theirs in sorted(raw & SUBSTITUTES.keys()):
        _say_substitute(theirs, say)
    return lines


def _say_substitute(name: str, say: Callable[[str], None]) -> None:
    say(f"{SUBSTITUTES[name]} is installed for {name}, which would need a compiler")


def _key(inputs: object) -> str:
    return hashlib.sha256(msgspec.json.encode(inputs)).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tree_digest(path: Path) -> str:
    """What a folder (or file) holds, whatever it is called."""
    if not path.is_dir():
        return _digest(path) if path.is_file() else ""
    every = sorted(each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
    return _key([[each.relative_to(path).as_posix(), _digest(each)] for each in every])

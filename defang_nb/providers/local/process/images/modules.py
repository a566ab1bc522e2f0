"""node_modules kept for the next build with the same package files: an `npm ci` that changes nothing is a copy by links."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from defang_nb.providers.local.process.images.machine import Machine

_FILES = ("package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", ".npmrc", ".yarnrc.yml")
_INSTALLS = frozenset((("npm", "ci"), ("npm", "install"), ("npm", "i"), ("yarn", "install"), ("pnpm", "install")))


class Modules:
    """Copies of node_modules folders, below `folder`, by a hash of what they were installed from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, words: Sequence[str], cwd: Path, machine: Machine) -> str:
        """The hash for an installation of exactly the package files in `cwd`; "" for every other command."""
        packages = [word for word in words[2:] if not word.startswith("-")]
        globally = any(word in ("-g", "--global") for word in words)
        if tuple(words[:2]) not in _INSTALLS or packages or globally or not (cwd / "package.json").is_file():
            return ""
        inputs = [list(words), machine.node_major, [(name, _digest(cwd / name)) for name in _FILES if (cwd / name).is_file()]]
        return hashlib.sha256(msgspec.json.encode(inputs)).hexdigest()[:24]

    def restore(self, key: str, cwd: Path) -> bool:
        """Put the kept folder there; False when none is kept. Blocking."""
        if not (self.folder / key).is_dir():
            return False
        shutil.rmtree(cwd / "node_modules", ignore_errors=True)
        _linked(self.folder / key, cwd / "node_modules")
        return True

    def keep(self, key: str, cwd: Path) -> None:
        """Remember what was installed. Blocking."""
        if not (cwd / "node_modules").is_dir() or (self.folder / key).exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder / f".{key}.{secrets.token_hex(4)}"
        try:
            _linked(cwd / "node_modules", temporary)
            temporary.rename(self.folder / key)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)  # kept by another build meanwhile, or no space: only a cache


def _linked(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

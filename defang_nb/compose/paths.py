"""Paths in Compose files: relative to the file's project folder, with `~` for the home folder; remote places stay.

Source: the reference, which knows Windows paths where the machine that runs the containers may be another than this one.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

_REMOTE = re.compile(r".*://|git@|github\.com/|service:", re.DOTALL)
_WINDOWS = re.compile(r".:[\\/]|[\\/]{2}", re.DOTALL)


def absolute(path: str, base: str, home: str, *, windows: bool = False) -> str:
    """`path` as an absolute path; one that is absolute already (`windows`: also as Windows has it) stays as it is written."""
    if path.startswith("~"):
        path = os.path.normpath(f"{home}/{path[1:]}")
    if path.startswith("/") or (windows and _WINDOWS.match(path)):
        return path
    return os.path.normpath(posixpath.join(base, path))


def followed(path: str) -> str:
    """`path` with the first symbolic link in it replaced by where that leads. It stays when that is nowhere."""
    here = "/"
    for part in path.split("/"):
        here = posixpath.join(here, part)
        if Path(here).is_symlink():
            try:
                return os.path.realpath(here, strict=True) + path[len(here) :]
            except OSError:
                return path
    return path


def is_remote(context: str) -> bool:
    """Whether a build context is fetched from elsewhere (git, https, an image), not a folder here."""
    return _REMOTE.match(context) is not None

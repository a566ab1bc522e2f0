"""Paths in Compose files: relative to the file's project folder, with `~` for the home folder; remote places stay."""

from __future__ import annotations

import os
import posixpath
import re

_REMOTE = re.compile(r"(?:https?|git|ssh|docker-image|oci-layout|service|target|oci)://?|git@|github\.com/|(?:service|target):")
_DRIVE = re.compile(r"[A-Za-z]:")


def absolute(path: str, base: str, home: str) -> str:
    """`path` as an absolute path; one that is absolute already stays as it is written."""
    if path == "~" or path.startswith("~/"):
        path = posixpath.join(home, path[2:])
    if path.startswith("/") or _DRIVE.match(path):
        return path
    return os.path.normpath(posixpath.join(base, path))


def is_remote(context: str) -> bool:
    """Whether a build context is fetched from elsewhere (git, https, an image), not a folder here."""
    return _REMOTE.match(context) is not None

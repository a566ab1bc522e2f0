"""What configuration values (secrets) may be called, and their digests: the same wherever they are kept."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from defang_nb.errors import UsageError

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What the Compose specification lets a project be called ("Version and name top-level elements")."""
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def checked_project(project: str) -> str:
    """Raises `UsageError` for what can't be a project's name."""
    if not _PROJECT.fullmatch(project):
        raise UsageError(f"{project!r} can't be a project's name")
    return project


def checked_key(key: str) -> str:
    """Raises `UsageError` for what no environment could hold."""
    if not _KEY.fullmatch(key):
        raise UsageError(f"{key!r} can't be the name of a configuration value", hint="use letters, digits and _")
    return key


def keyed_digests(secret: bytes, project: str, values: Mapping[str, str]) -> dict[str, str]:
    """name → HMAC-SHA256: without `secret`, which is a stack's own, digests of short values could be guessed."""
    # The name is part of it: two keys with the same value must not look alike.
    texts = {key: f"{project}\0{key}\0{value}" for key, value in sorted(values.items())}
    return {key: hmac.digest(secret, text.encode(), "sha256").hex() for key, text in texts.items()}

"""Static files at the edge: what is kept in the bucket for them, and the small function that makes redirects of some of it."""

from __future__ import annotations

import hashlib
from importlib.resources import files

MOVED = "moved"
"""The function that makes redirects."""


def code(name: str) -> bytes:
    """What one of our functions does."""
    return files(__package__).joinpath(f"{name}.js").read_bytes()


def version(name: str) -> str:
    """Another one for other code."""
    return hashlib.sha256(code(name)).hexdigest()[:12]

"""What a stack's mode changes: how careful, and how costly, its deployments are."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files

import msgspec

from defang_nb.errors import UsageError

SETTING = "DEFANG_MODE"
DEFAULT = "affordable"


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """`spot`: on capacity that AWS may take back. `log_days`: how long lines are kept.

    `min_healthy` and `max_percent` bound how many of a service's tasks run during a roll-out, in percent of those wanted.
    `drain_seconds`: how long a task that goes may finish its requests. `deletion_protection`: of load balancers and stores.
    """

    spot: bool
    log_days: int
    min_healthy: int
    max_percent: int
    deletion_protection: bool
    final_snapshot: bool
    multi_az: bool
    drain_seconds: int


def modes() -> Mapping[str, Mode]:
    """Those of `modes.toml`, by their names."""
    text = files(__package__).joinpath("modes.toml").read_text(encoding="utf-8")
    return {name: msgspec.convert(said, Mode) for name, said in tomllib.loads(text).items()}


def mode_of(settings: Mapping[str, str]) -> Mode:
    """The stack's. Raises `UsageError` for one that does not exist."""
    known, name = modes(), settings.get(SETTING, DEFAULT).lower()
    if name not in known:
        raise UsageError(f"there is no mode {name!r} ({SETTING})", hint=f"modes: {', '.join(known)}")
    return known[name]

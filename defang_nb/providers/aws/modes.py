"""What a stack's mode changes: how careful, and how costly, its deployments are."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

import msgspec

from defang_nb.errors import UsageError

SETTING = "DEFANG_MODE"
DEFAULT = "affordable"


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """`spot`: on capacity that AWS may take back. `log_days`: how long lines are kept.

    `min_healthy` and `max_percent` bound how many of a service's tasks run during a roll-out, in percent of those wanted.
    `drain_seconds`: how long a task that goes may finish its requests. `deletion_protection`: of load balancers and stores.
    `price_class`: CloudFront's, of distributions of static files.
    """

    spot: bool
    log_days: int
    min_healthy: int
    max_percent: int
    deletion_protection: bool
    final_snapshot: bool
    multi_az: bool
    drain_seconds: int
    price_class: str


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


class Meaning(NamedTuple):
    """One thing that a mode decides, in words."""

    name: str
    value: str
    means: str


def meanings(mode: Mode) -> list[Meaning]:
    """All that it decides."""
    return [Meaning(name, _word(getattr(mode, name), unit), means) for name, (unit, means) in _MEANINGS.items()]


def _word(value: bool | int | str, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value}{unit}"


_MEANINGS = {
    "spot": ("", "services run on Fargate Spot: cheaper, and AWS may take a task back with two minutes' notice"),
    "log_days": (" d", "how long the lines that services write are kept"),
    "min_healthy": (" %", "how many of a service's tasks, at least, run during a roll-out"),
    "max_percent": (" %", "how many of a service's tasks, at most, run during a roll-out"),
    "deletion_protection": ("", "load balancers and databases can't be deleted before that is lifted"),
    "final_snapshot": ("", "a store that is deleted leaves a last snapshot, and keeps its backups for 7 days instead of 1"),
    "multi_az": ("", "a store has a second copy in another availability zone, which takes over"),
    "drain_seconds": (" s", "how long a task that goes may finish its requests"),
    "price_class": ("", "from which of CloudFront's places static files are served: 100 are the cheapest, All are all of them"),
}

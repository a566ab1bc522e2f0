"""Everything that a workspace can reach, at one moment: its stacks, their projects, what runs, what was deployed."""

from __future__ import annotations

import msgspec

from defang_nb.model.events import DeploymentSummary
from defang_nb.model.status import ServiceStatus, Usage


class ProjectOverview(msgspec.Struct, frozen=True, kw_only=True):
    """`config` are names of values; `monthly` is what it costs, in US dollars a month, None where nobody knows."""

    name: str
    services: tuple[ServiceStatus, ...] = ()
    usage: tuple[Usage, ...] = ()
    config: tuple[str, ...] = ()
    monthly: float | None = None


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment without an end. `alive`: its cd runs it still, whoever started it; else it was cut off."""

    deployment: DeploymentSummary
    alive: bool


class StackOverview(msgspec.Struct, frozen=True, kw_only=True):
    """`history` is newest first. `trouble` says why (a part of) it could not be read; what was read is there."""

    name: str
    provider: str
    unfinished: tuple[Unfinished, ...] = ()
    projects: tuple[ProjectOverview, ...] = ()
    history: tuple[DeploymentSummary, ...] = ()
    trouble: str = ""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is epoch seconds."""

    time: float
    stacks: tuple[StackOverview, ...]

"""The journal's entries: an operation begins before its call to the cloud, and ends after it."""

from __future__ import annotations

import msgspec

from defang_nb.model.plan import Action
from defang_nb.model.resource import Recorded, Resource


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """A call is about to be made. `resource` (inputs resolved) is what shall be made; None for a delete."""

    token: str
    urn: str
    action: Action
    deployment: str
    time: float
    resource: Resource | None = None


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """What is true now of `urn`: its record, or None when there is none. An empty `token` ends no operation."""

    urn: str
    recorded: Recorded | None
    deployment: str
    time: float
    token: str = ""
    retired: Recorded | None = None
    error: str = ""


class Seal(msgspec.Struct, frozen=True, kw_only=True, tag="seal"):
    """The last entry of its epoch, written by a later one: whoever still holds that epoch can write no more."""

    by_epoch: int


Entry = Begin | End | Seal

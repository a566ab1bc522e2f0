"""The planner: what has to happen so that what is recorded becomes what is desired. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from defang_nb.model.plan import Plan
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json
from defang_nb.provision.ports import ResourceType


def plan(
    desired: Sequence[Resource],
    recorded: Mapping[str, Recorded],
    types: Mapping[str, ResourceType],
    observed: Mapping[str, Mapping[str, Json] | None],
    *,
    force: Collection[str] = (),
    state_version: str = "",
) -> Plan:
    """The steps from `recorded` to `desired`; nothing desired takes everything down.

    `observed` (urn → live outputs, None: gone, absent: unknown) is what `executor.observe` saw; {} trusts the record. `force`
    names urns that are updated though nothing changed. Raises `DefangError` for a dependency cycle, for a dependency that is not
    desired, and `ProviderError` for a type that is not in `types`.
    """
    raise NotImplementedError

"""The executor: makes a plan true, in parallel along its graph, and keeps the state true at every instant."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from defang_nb.errors import DefangError
from defang_nb.model.events import Outcome
from defang_nb.model.plan import Plan
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.ports import Emit, ResourceType
from defang_nb.provision.state import State


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: `failed` are urns with their error (rolled back or not), `skipped` those that were not begun."""

    outcome: Outcome
    failed: Mapping[str, DefangError] = {}
    skipped: tuple[str, ...] = ()


async def observe(
    recorded: Mapping[str, Recorded], types: Mapping[str, ResourceType]
) -> Mapping[str, Mapping[str, Json] | None]:
    """What is live now, in one bulk read for each type: urn → outputs, None for what is gone; an absent urn is unknown."""
    raise NotImplementedError


async def recover(state: State, types: Mapping[str, ResourceType], *, deployment: str, clock: Clock = SYSTEM_CLOCK) -> None:
    """Settle what a dead deployment left unfinished, by asking each type what is there. Call it before `plan`.

    On a state that was opened without a lease it only corrects the picture in memory (for a preview).
    """
    raise NotImplementedError


async def refresh(
    state: State, observed: Mapping[str, Mapping[str, Json] | None], *, deployment: str, clock: Clock = SYSTEM_CLOCK
) -> tuple[str, ...]:
    """Record live outputs that differ from the recorded ones; the urns of those. Writes nothing when none does."""
    raise NotImplementedError


async def apply(
    plan: Plan,
    desired: Sequence[Resource],
    state: State,
    types: Mapping[str, ResourceType],
    emit: Emit,
    *,
    deployment: str,
    cancel: asyncio.Event,
    concurrency: int = 8,
    clock: Clock = SYSTEM_CLOCK,
) -> Applied:
    """Carry out `plan` (made from the same `desired` and `state.recorded`), and wait until all is ready.

    Emits `StepStarted` and `StepFinished`. One step's failure stops what depends on it and nothing else; a failed update or
    replacement is rolled back. Once `cancel` is set no step begins. Raises `LeaseLostError`, with every step stopped, when
    another deployment took the project over; all other failures are in what is returned.
    """
    raise NotImplementedError

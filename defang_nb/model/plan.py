"""The plan: an ordered graph of steps, each with its cause and its property-level differences."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Action(StrEnum):
    """`ADOPT`: it exists, with no record of it; it is recorded, and nothing else is done."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"
    ADOPT = "adopt"

    @property
    def mutates(self) -> bool:
        return self is not Action.KEEP


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One property: its dotted path and its value before and after as short text; secrets show as `config(NAME)`."""

    path: str
    before: str = ""
    after: str = ""
    replaces: bool = False


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """`cause` says why in words ("new in the project", "environment.A changed"); `after` are urns that come first."""

    urn: str
    type: str
    action: Action
    cause: str = ""
    changes: tuple[Change, ...] = ()
    service: str = ""
    title: str = ""
    protect: bool = False
    after: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Steps in an order in which they could run one by one. `state_version` is the head that the plan was made from."""

    steps: tuple[Step, ...] = ()
    state_version: str = ""

    @property
    def mutations(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action.mutates)

    def count(self, action: Action) -> int:
        return sum(step.action is action for step in self.steps)

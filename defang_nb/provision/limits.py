"""How many calls run at a time: an API has limits of its own, and one that is busy must not keep the others waiting."""

from __future__ import annotations

import asyncio

from defang_nb.provision.ports import ApiClass, Limited, ResourceType

COMMON = ApiClass("common", 8)
"""Of the types that name no class."""


class Limits:
    """The slots of one deployment, for each class of calls."""

    def __init__(self, common: ApiClass = COMMON) -> None:
        self._common = common
        self._slots: dict[str, asyncio.Semaphore] = {}

    def of(self, type_: ResourceType) -> asyncio.Semaphore:
        """What a call of this type holds while it runs. Where types name one class with other limits, the first one counts."""
        api = type_.api if isinstance(type_, Limited) else self._common
        return self._slots.setdefault(api.name, asyncio.Semaphore(api.limit))

"""A cd that can't be connected to, as a `channel.Cd`: it is asked through the store, and its stories are read there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from defang_nb.client.channel import CdInfo, UnreachableError
from defang_nb.errors import NotFoundError, ProviderError
from defang_nb.model.events import Event, Finished
from defang_nb.model.request import DeployRequest
from defang_nb.providers.history import History
from defang_nb.providers.mail import Mail
from defang_nb.provision.ports import ObjectStore

PACE = 1.0
"""Seconds between two looks."""
_PATIENCE, _START = 60.0, 30.0
"""Seconds for cd to take a request over; and to say that it serves, from when its task runs."""


class MailedCd:
    """Raises as `channel.Cd` does."""

    def __init__(self, store: ObjectStore) -> None:
        self._mail = Mail(store)
        self._history = History(store)

    async def info(self) -> CdInfo:
        deadline = time.monotonic() + _START
        while (found := await self._mail.serving()) is None:
            if time.monotonic() > deadline:
                raise UnreachableError("cd does not say that it serves")
            await asyncio.sleep(PACE)
        return CdInfo(protocol=found.protocol, version=found.version, stack=found.stack, pid=0, running=found.running)

    async def deploy(self, request: DeployRequest) -> None:
        """Leave it, and wait until it is taken. Doing so twice is harmless."""
        await self._mail.ask(request)
        deadline = time.monotonic() + _PATIENCE
        while not await self._history.known(request.project.name, request.deployment):
            if refusal := await self._mail.refusal(request.deployment):
                raise ProviderError(refusal.message, hint=refusal.hint)
            if time.monotonic() > deadline:
                await self._mail.taken(request.deployment)
                raise UnreachableError("cd does not take its mail")
            await asyncio.sleep(PACE)

    async def watch(self, deployment: str, from_sequence: int) -> AsyncGenerator[Event, None]:
        info = await self.info()
        summary = await self._history.find(deployment)
        if deployment not in info.running and summary.outcome is not None:
            raise NotFoundError(f"this cd does not run {deployment}")
        while True:
            running = deployment in (await self.info()).running
            for event in await self._history.events(summary.project, deployment, from_sequence):
                yield event
                from_sequence = event.sequence + 1
                if isinstance(event.payload, Finished):
                    return
            if not running and (await self._history.find(deployment)).outcome is not None:
                return
            await asyncio.sleep(PACE)

    async def cancel(self, deployment: str) -> None:
        # What cd says that it runs may be a moment old.
        if (await self._history.find(deployment)).outcome is not None:
            raise NotFoundError(f"this cd does not run {deployment}")
        await self._mail.ask_to_cancel(deployment)

    async def close(self) -> None:
        """There is nothing to close."""

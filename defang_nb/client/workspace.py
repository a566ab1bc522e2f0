"""The workspace's side of one stack: its provider, its store, its cd. Everything here is asynchronous."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from defang_nb.errors import CdError, NotFoundError, VersionMismatchError
from defang_nb.model.events import Event, Finished, Outcome
from defang_nb.model.pace import Pace, Usual, pace_of
from defang_nb.model.request import PROTOCOL, DeployRequest
from defang_nb.model.stack import Stack
from defang_nb.model.view import replay
from defang_nb.providers.base import Provider, Say
from defang_nb.providers.history import History
from defang_nb.providers.registry import provider_for

if TYPE_CHECKING:
    from defang_nb.build import Packed
    from defang_nb.client.channel import Cd
    from defang_nb.client.mailbox import MailedCd
    from defang_nb.client.uploads import Uploads
    from defang_nb.providers.base import CdAddress

_HANDOVER = 5.0
"""Seconds in which a workspace goes on looking for a cd that answers, while one ends and another starts."""

_PACED = 6
"""So many of the last deployments tell how long a step takes."""

ENDED = "cd ended unexpectedly"
AGAIN = "run `up` again to continue"


class Workspace:
    """One stack, as this process sees it. Cheap to make; touches nothing before it is asked to."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.provider: Provider = provider_for(stack)

    @property
    def usual(self) -> Mapping[str, Usual]:
        """How long things usually take there, by the type of resource."""
        return self.provider.usual

    async def history(self) -> History:
        return History(await self.provider.store())

    async def start(self, request: DeployRequest, prepared: Sequence[Packed], say: Say) -> Uploads:
        """Hand the request to a cd, launched if need be; what the store lacks is packed and sent meanwhile, but for a dry run.

        What is given goes on with that, so that nothing that is slow to make waits for it; the caller ends it.
        """
        if not request.dry_run:
            await self.provider.prepare(say)
        from defang_nb.client.uploads import Uploads

        uploads = Uploads(await self.provider.store(), request.deployment, for_kaniko=self.stack.provider != "local")
        connecting = asyncio.create_task(self._connect(say))
        try:
            await uploads.begin(() if request.dry_run else prepared, say)
            cd = await uploads.unless_failed(connecting)
            await self._hand_over(msgspec.structs.replace(request, uploading=uploads.unsent), cd, say)
        except BaseException:
            await uploads.end()
            connecting.cancel()
            [cd_or_error] = await asyncio.gather(connecting, return_exceptions=True)
            if not isinstance(cd_or_error, BaseException):
                await cd_or_error.close()
            raise
        return uploads

    async def _hand_over(self, request: DeployRequest, connected: Cd | MailedCd, say: Say) -> None:
        from defang_nb.client.channel import UnreachableError

        cd: Cd | MailedCd | None = connected
        for attempt in range(3):
            cd = cd or await self._connect(say)
            try:
                await cd.deploy(request)
                return
            except UnreachableError:
                # It was about to end itself, being idle; asking again is harmless, since the request has its id.
                await asyncio.sleep(0.1 * (attempt + 1))
            finally:
                await cd.close()
                cd = None
        raise CdError("cd ended three times before it took the deployment over", hint="its log says why")

    async def follow(self, project: str, deployment: str, at: int = 1) -> AsyncGenerator[Event, None]:
        """Its events from a sequence number on, from cd while it runs it, else from the store; ends after `Finished`.

        Raises `CdError` when nobody runs it and its story has no end.
        """
        from defang_nb.client.channel import UnreachableError

        misses = 0
        while True:
            cd = await self._find()
            if cd is not None:
                with contextlib.suppress(UnreachableError, NotFoundError):
                    async for event in cd.watch(deployment, at):
                        yield event
                        at, misses = event.sequence + 1, 0
                        if isinstance(event.payload, Finished):
                            await cd.close()
                            return
                await cd.close()
            for event in await (await self.history()).events(project, deployment, at):
                yield event
                at, misses = event.sequence + 1, 0
                if isinstance(event.payload, Finished):
                    return
            misses += 1
            if misses > 2:
                raise CdError(ENDED, hint=AGAIN)
            await asyncio.sleep(0.2)

    async def told(self, project: str, deployment: str) -> AsyncGenerator[Event, None]:
        """What the store has of a deployment's story, event by event."""
        async for event in (await self.history()).each_event(project, deployment):
            yield event

    async def pace(self, project: str, deployment: str) -> Pace:
        """How long the steps of its last deployments took; of a project that is new here, those of all projects."""
        history = await self.history()
        for whose in (project, None):
            ended = await history.latest(whose, _PACED, outcome=Outcome.SUCCEEDED)
            told = await asyncio.gather(*(history.events(each.project, each.id) for each in ended if each.id != deployment))
            pace = pace_of(replay(events[0].deployment, events) for events in told if events)
            if pace.steps:
                break
        return pace

    async def cancel(self, deployment: str) -> None:
        """Raises `NotFoundError` when no cd runs it."""
        cd = await self._find()
        if cd is None:
            raise NotFoundError(f"no cd runs {deployment}", hint="it is over, or its cd ended; `deployments` tells")
        try:
            await cd.cancel(deployment)
        finally:
            await cd.close()

    async def running(self) -> frozenset[str]:
        """The ids of the deployments that run now."""
        cd = await self._find()
        if cd is None:
            return frozenset()
        try:
            return frozenset((await cd.info()).running)
        except CdError:
            return frozenset()
        finally:
            await cd.close()

    async def _find(self) -> Cd | MailedCd | None:
        address = await self.provider.find_cd()
        return await self._reached(address) if address else None

    async def _reached(self, address: CdAddress) -> Cd | MailedCd:
        """By a connection, or where none can be made by the store."""
        if not address.target:
            from defang_nb.client.mailbox import MailedCd

            return MailedCd(await self.provider.store())
        from defang_nb.client.channel import Cd

        return Cd(address)

    async def _connect(self, say: Say) -> Cd | MailedCd:
        """A cd that speaks this protocol. One of another version is replaced when it is idle."""
        from defang_nb.client.channel import UnreachableError
        from defang_nb.version import __version__

        trouble: CdError = CdError("cd can't be reached")
        deadline = time.monotonic() + _HANDOVER
        while time.monotonic() < deadline:
            address = await self.provider.find_cd()
            if address is None:
                say("starting cd")
                address = await self.provider.launch_cd()
            cd = await self._reached(address)
            try:
                info = await cd.info()
            except UnreachableError as error:
                # It was found just before it ended itself; the next look finds its successor, or launches it.
                await cd.close()
                trouble = error
                await asyncio.sleep(0.1)
                continue
            if info.protocol == PROTOCOL and (info.version == __version__ or info.running):
                return cd
            await cd.close()
            if info.running:
                raise VersionMismatchError(
                    f"the running cd is of version {info.version} (protocol {info.protocol}), this is {__version__}"
                    f" (protocol {PROTOCOL}), and it is busy with {', '.join(info.running)}",
                    hint="wait until that is over and try again: an idle cd is replaced by itself",
                )
            await self.provider.stop_cd()
            trouble = CdError(f"the cd of version {info.version} did not make place for a new one")
        raise trouble

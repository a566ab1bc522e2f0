"""The gRPC service: takes deployments, shows their stories, and knows when it is idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from defang_nb.errors import DefangError
from defang_nb.model.events import Event
from defang_nb.model.request import PROTOCOL, DeployRequest
from defang_nb.version import __version__
from defang_nb.wire import event_to_wire, request_from_wire
from defang_nb.wire.generated import cd_pb2 as pb
from defang_nb.wire.generated import cd_pb2_grpc

_log = logging.getLogger(__name__)

MESSAGE = 256 * 1024
"""Bytes of events that are sent together."""

UNKEPT = 8
"""So many ended stories that the store did not take are held in memory."""

if TYPE_CHECKING:
    from defang_nb.cd.run import Run
    from defang_nb.cd.story import Story
    from defang_nb.providers.history import History
    from defang_nb.provision.ports import ObjectStore

    _Context = grpc.aio.ServicerContext[Any, Any]


class Service(cd_pb2_grpc.CdServicer):
    """One stack's deployments. Those of different projects run side by side; the lease keeps those of one project apart."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._started = time.time()
        self._runs: dict[str, Run] = {}
        self._unkept: dict[str, Story] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls = 0
        self._active = time.monotonic()
        self._recovered: asyncio.Task[None] | None = None
        self._ending = False

    @property
    def idle(self) -> float:
        """For how many seconds nothing has run and nobody has been on the line; 0 while somebody is."""
        return 0.0 if self._tasks or self._calls else time.monotonic() - self._active

    async def end(self, reason: str, grace: float = 5.0) -> None:
        """Stop what runs in good order, or, after `grace` seconds, as it is: the next run continues from the journal."""
        self._ending = True
        for run in self._runs.values():
            run.end(reason)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=grace)

    async def GetInfo(self, request: pb.GetInfoRequest, context: _Context) -> pb.GetInfoResponse:  # noqa: N802
        self._active = time.monotonic()
        info = pb.GetInfoResponse(
            protocol=PROTOCOL, version=__version__, stack=self._stack, pid=os.getpid(), running=list(self._runs)
        )
        info.started.FromNanoseconds(int(self._started * 1e9))
        return info

    async def Deploy(self, request: pb.DeployRequest, context: _Context) -> pb.DeployResponse:  # noqa: N802
        if request.protocol != PROTOCOL:
            message = f"this cd speaks protocol {PROTOCOL}, the client {request.protocol}"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)
        if self._ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this cd is about to end")
        with self._call():
            try:
                wanted = request_from_wire(request)
            except ValueError as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"this is no request: {error}")
            if wanted.stack.name != self._stack:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"this cd serves the stack {self._stack!r}")
            try:
                await self.begin(wanted)
            except DefangError as error:
                await context.abort(grpc.StatusCode.ABORTED, f"{error.message}\n{error.hint}")
        return pb.DeployResponse(deployment=wanted.deployment)

    async def Watch(self, request: pb.WatchRequest, context: _Context) -> AsyncIterator[pb.WatchResponse]:  # noqa: N802
        run = self._runs.get(request.deployment)
        story = run.story if run else self._unkept.get(request.deployment)
        if story is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"this cd does not run {request.deployment}")
            return
        with self._call():
            async for events in story.follow(request.from_sequence):
                for message in _messages(events):
                    yield message

    async def Cancel(self, request: pb.CancelRequest, context: _Context) -> pb.CancelResponse:  # noqa: N802
        if not self.cancel(request.deployment):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"this cd does not run {request.deployment}")
        return pb.CancelResponse()

    @property
    def stack(self) -> str:
        return self._stack

    @property
    def running(self) -> list[str]:
        """The ids of the deployments that run now."""
        return list(self._runs)

    def cancel(self, deployment: str) -> bool:
        """Ask it to end; whether it runs here."""
        run = self._runs.get(deployment)
        if run is not None:
            run.cancel()
        return run is not None

    async def begin(self, request: DeployRequest) -> None:
        """Run it, unless it is known already. Raises `DefangError`."""
        # What a deployment needs is loaded with the first one, so that cd answers soon after its launch.
        from defang_nb.cd.run import Run
        from defang_nb.cd.story import Story
        from defang_nb.providers.history import History
        from defang_nb.providers.registry import provider_for

        if request.deployment in self._runs:
            return
        provider = provider_for(request.stack)
        store = await provider.store()
        history = History(store)
        if self._recovered is None:
            self._recovered = asyncio.create_task(self._take_over(store, history))
        try:
            await asyncio.shield(self._recovered)
        except DefangError:
            self._recovered = None  # a full disk, say: the next deployment tries again
            raise
        if await history.known(request.project.name, request.deployment):
            return
        if request.deployment in self._runs:
            return
        summary = await history.begin(request, time.time())
        run = Run(request, provider, store, Story(history, summary, events=[]), self._runs)
        self._runs[request.deployment] = run
        task = asyncio.create_task(self._go(run), name=request.deployment)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go(self, run: Run) -> None:
        _log.info("%s %s of %s", run.request.deployment, run.request.kind, run.request.project.name)
        try:
            await run.go()
        finally:
            self._active = time.monotonic()
            if not run.story.kept:
                self._unkept[run.request.deployment] = run.story
            del self._runs[run.request.deployment]
        await self._keep_again()
        try:
            await run.tidy()
        except DefangError as error:
            _log.warning("could not delete what is too old: %s", error)

    async def _keep_again(self) -> None:
        """Stories that the store did not take (a full disk) are tried again with each deployment, and shown meanwhile."""
        for id_, story in list(self._unkept.items()):
            await story.keep_again()
            if story.kept:
                del self._unkept[id_]
        while len(self._unkept) > UNKEPT:
            del self._unkept[next(iter(self._unkept))]

    async def _take_over(self, store: ObjectStore, history: History) -> None:
        """There is one cd for a stack, and it is this one: what an earlier one began and did not end is over."""
        from defang_nb.cd.story import close_abandoned
        from defang_nb.provision.bootstrap import bootstrap

        await bootstrap(store)
        for summary in await history.unfinished():
            if summary.id not in self._runs:
                _log.info("%s was abandoned by an earlier cd", summary.id)
                await close_abandoned(history, summary)

    @contextlib.contextmanager
    def _call(self) -> Iterator[None]:
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self._active = time.monotonic()


def _messages(events: Sequence[Event]) -> Iterator[pb.WatchResponse]:
    """All of them, in messages of some size: gRPC's own limit is 4 MiB."""
    message, size = pb.WatchResponse(), 0
    for event in map(event_to_wire, events):
        size += event.ByteSize()
        if size > MESSAGE and message.events:
            yield message
            message, size = pb.WatchResponse(), event.ByteSize()
        message.events.append(event)
    yield message


async def make_server(service: Service) -> grpc.aio.Server:
    """The service, with health checking and reflection, listening nowhere yet."""
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    cd_pb2_grpc.add_CdServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    checks = health.aio.HealthServicer()  # type: ignore[attr-defined]
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    name = pb.DESCRIPTOR.services_by_name["Cd"].full_name
    await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection([name, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server

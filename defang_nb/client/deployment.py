"""`Deployment`: one run of up, down or preview, as its looker holds it.

The engine's thread folds the events as they come; every property here is a snapshot that any thread may read.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from defang_nb import errors
from defang_nb.client import again, loop, marimo
from defang_nb.client.held import Held
from defang_nb.client.workspace import Workspace
from defang_nb.errors import CdError, DefangError, DeploymentCancelledError, DeploymentFailedError
from defang_nb.model.events import Diagnosed, Event, Finished, Outcome, Payload, Requested, Stage, StageChanged
from defang_nb.model.pace import Pace, remaining
from defang_nb.model.request import DeployRequest, introduce
from defang_nb.model.source import Severity
from defang_nb.model.view import DeploymentView, reduce
from defang_nb.providers.base import Say

if TYPE_CHECKING:
    from defang_nb.build import Packed
    from defang_nb.client.uploads import Uploads
    from defang_nb.model.status import LogRecord
    from defang_nb.model.view import ServiceView

LEARN_AFTER = 1.0
"""Seconds that a deployment goes on before it is asked how long others took."""

Subscriber = Callable[[DeploymentView, Event], None]
"""Called on the engine's thread, in order, with the view after the event. Events with sequence 0 are the workspace's own
(uploads, a cd being launched, or why it could not be): they show in the view and are part of no stored story."""

Start = Callable[[Say], Awaitable["Uploads"]]
"""Gets a deployment under way; is given what to call to say what it is doing. It gives what it still needs this process for."""

_log = logging.getLogger(__name__)


class Deployment:
    """A deployment that goes on or is over.

    `view` is everything that there is to see; `status` is it in a few words; `services`, `events`, `endpoints` (the URL of each
    service, public ones first) are parts of it.
    """

    def __init__(self, workspace: Workspace, view: DeploymentView, start: Start | None = None) -> None:
        """`view` is what is known before cd speaks; `start` gets it under way (None: it is under way, or over)."""
        self.id = view.id
        self.project = view.project
        self.stack = view.stack
        self._workspace = workspace
        self._view = view
        self._held = Held()
        self._latest: Event | None = None
        self._pace = Pace()
        self._awaited = asyncio.Event()
        self._subscribers: list[Subscriber] = []
        self._uploads: Uploads | None = None
        self._error: DefangError | None = None
        self._begun: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._accepted: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._over: concurrent.futures.Future[None] = concurrent.futures.Future()
        loop.submit(self._live(start))

    @classmethod
    def begin(cls, workspace: Workspace, request: DeployRequest, prepared: Sequence[Packed] = ()) -> Deployment:
        """A new one, which gets under way by itself; `prepared` are the contexts that its images are built from."""

        async def start(say: Say) -> Uploads:
            return await workspace.start(request, prepared, say)

        return cls(workspace, _first_view(request), start)

    def __repr__(self) -> str:
        return f"<Deployment {self.id} of {self.project} to {self.stack}: {self.status}>"

    def _repr_html_(self) -> str:
        """As notebooks of any sort (marimo, or Jupyter without the extension) show a value: what there is to see of it now."""
        from defang_nb.client.links import through_hub
        from defang_nb.render.html import render_html

        now = time.time()
        return render_html(self.view, now=now, link=through_hub, left=self.left(now))

    @property
    def view(self) -> DeploymentView:
        return self._view

    @property
    def status(self) -> str:
        """`queued`, `planning`, `provisioning`, `settling`, or once done `succeeded`, `failed`, `cancelled`."""
        view = self._view
        return view.outcome.value if view.outcome else view.stage.value

    @property
    def services(self) -> Mapping[str, ServiceView]:
        return self._view.services

    @property
    def events(self) -> list[Event]:
        """What has been told so far, in order; where log lines came in floods, only the last of them (`story` has all)."""
        return list(self._held.events)

    def story(self) -> Iterator[Event]:
        """All that has been told so far, in order; read from the store where that is too much to hold in memory."""
        last = 0
        if not self._held.complete:
            for event in loop.iterate(self._workspace.told(self.project, self.id)):
                yield event
                last = event.sequence
        yield from (event for event in self.events if event.sequence > last)

    @property
    def endpoints(self) -> Mapping[str, str]:
        """service → its first URL (public ones first). All of them are in `services[name].endpoints`."""
        found: dict[str, str] = {}
        for name, service in self._view.services.items():
            for endpoint in sorted(service.endpoints, key=lambda each: not each.public):
                found.setdefault(name, endpoint.url)
        return found

    @property
    def done(self) -> bool:
        return self._over.done()

    @property
    def outcome(self) -> Outcome | None:
        return self._view.outcome

    @property
    def begun(self) -> bool:
        """Whether cd has taken it over; it may still need this process, for what is uploaded."""
        return self._begun.done()

    @property
    def accepted(self) -> bool:
        """Whether cd has taken it over, with all that it needs, so that it goes on without this process."""
        return self._accepted.done()

    def wait(self, timeout: float | None = None, *, check: bool = True) -> Deployment:
        """Block until it is over. `timeout` in seconds: raises `TimeoutError`, and the deployment goes on.

        In a cell of marimo it is the cell's output meanwhile, renewed twice a second.

        With `check`, raises what it ended with: `DeploymentFailedError` or `DeploymentCancelledError` (message, hint and error
        diagnostics as in the view), or the error that kept it from starting.
        """
        marimo.wait(self._over, self, timeout)
        if check and self._view.outcome is not Outcome.SUCCEEDED:
            raise self._failure()
        return self

    def wait_accepted(self, timeout: float | None = None) -> Deployment:
        """Block until cd has taken it over (from then on this process may end), or it is over."""
        return self._wait_for(self._accepted, timeout)

    def _wait_for(self, moment: concurrent.futures.Future[None], timeout: float | None = None) -> Deployment:
        done, _ = concurrent.futures.wait([moment, self._over], timeout, concurrent.futures.FIRST_COMPLETED)
        if not done:
            raise TimeoutError
        if self._error is not None:
            raise self._failure()
        return self

    def leave(self) -> None:
        """This process is about to end: cd is told what it will not upload, so that no build waits for it."""
        if self._uploads is not None and not self.done:
            loop.run(self._uploads.leave())

    def logs(
        self, service: str | None = None, *, follow: bool = False, since: float | str | None = None, tail: int | None = None
    ) -> Iterator[LogRecord]:
        """What its services wrote; see `api.logs`."""
        from defang_nb.client.reading import read_logs

        services = (service,) if service else ()
        return read_logs(self._workspace, self.project, services, follow=follow, since=since, until=None, tail=tail)

    def cancel(self) -> None:
        """Ask cd to end it; returns when cd has heard. Does nothing when it is over."""
        if not self.done:
            self._wait_for(self._begun)
            loop.run(self._workspace.cancel(self.id))

    def left(self, now: float) -> float | None:
        """About how many seconds it will go on, from how long its steps took in the past; None where that is not known."""
        if not self._awaited.is_set():
            loop.call_soon(self._awaited.set)
        return remaining(self._view, self._pace, now, self._workspace.usual)

    def start_again(self) -> Deployment:
        """Start deploying its project and images again, and return at once. Raises what `api.start_rollback` does."""
        return self._start_rollback(self.id)

    def start_rollback(self) -> Deployment:
        """Start deploying the project's latest deployment that went well and was another."""
        return self._start_rollback(None)

    def _start_rollback(self, which: str | None) -> Deployment:
        return Deployment.begin(self._workspace, again.asked(self._workspace, which, self.project))

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have `callback` called for everything that is told from now on; the returned function ends that.

        It is called once at once with the present view and the latest event, if there is one.
        """

        def begin() -> None:
            if self._latest is not None:
                _call(callback, self._view, self._latest)
            self._subscribers.append(callback)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers.remove(callback)

        loop.call_soon(begin)
        return lambda: loop.call_soon(end)

    def when_over(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once, when `done` has become true (at once if it is)."""
        self._over.add_done_callback(lambda _: callback())

    async def _live(self, start: Start | None) -> None:
        """Its life on the engine's thread."""
        beside: list[asyncio.Task[None]] = []
        try:
            if start is not None:
                self._uploads = await start(self._say)
            self._begun.set_result(None)
            beside = [asyncio.create_task(self._accept()), asyncio.create_task(self._learn())]
            async for event in self._workspace.follow(self.project, self.id):
                self._hear(event)
        except DefangError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # edge: the thread's; whoever waits must hear of it
            _log.debug("deployment %s", self.id, exc_info=True)
            self._fail(CdError(f"internal error: {type(error).__name__}: {error}", hint="please report it"))
        finally:
            for each in beside:
                each.cancel()
            if self._uploads is not None:
                await self._uploads.end()
            self._over.set_result(None)

    async def _accept(self) -> None:
        if self._uploads is None or await self._uploads.sent():
            self._accepted.set_result(None)

    async def _learn(self) -> None:
        """How long it may take is no more than a comfort: without it (the store is away, a past is damaged) all goes on.

        Whole stories are read for it, which one that is over at once is not kept from being, nor one that nobody watches.
        """
        await asyncio.sleep(LEARN_AFTER)
        await self._awaited.wait()
        with contextlib.suppress(DefangError, OSError):
            self._pace = await self._workspace.pace(self.project, self.id)

    def _hear(self, event: Event) -> None:
        """Fold one event of the story. The first one takes the place of what the workspace said itself."""
        before = self._view if self._held.events else DeploymentView(id=self.id)
        self._held.add(event)
        self._show(reduce(before, event), event)

    def _say(self, detail: str) -> None:
        self._tell(StageChanged(stage=Stage.QUEUED, detail=detail))

    def _fail(self, error: DefangError) -> None:
        """It could not start, or nobody knows how it ended."""
        self._error = None if self._begun.done() else error
        self._tell(Finished(outcome=Outcome.FAILED, message=error.message, hint=error.hint))

    def _tell(self, payload: Payload) -> None:
        """Show something of the workspace's own: sequence 0, so it takes no number of the story's."""
        event = Event(deployment=self.id, sequence=0, time=time.time(), payload=payload)
        before = msgspec.structs.replace(self._view, sequence=-1)
        self._show(msgspec.structs.replace(reduce(before, event), sequence=self._view.sequence), event)

    def _show(self, view: DeploymentView, event: Event) -> None:
        self._view, self._latest = view, event
        for callback in tuple(self._subscribers):
            _call(callback, view, event)

    def _failure(self) -> DefangError:
        if self._error is not None:
            return self._error
        view = self._view
        kind = DeploymentCancelledError if view.outcome is Outcome.CANCELLED else DeploymentFailedError
        diagnostics = [each for each in view.diagnostics if each.severity is Severity.ERROR]
        failure = kind(view.message or f"{self.project} was not deployed", hint=view.hint, diagnostics=diagnostics)
        cause = _error_class(self._latest.payload) if self._latest else None
        if cause is not None:
            failure.exit_code = cause.exit_code
        return failure


def _first_view(request: DeployRequest) -> DeploymentView:
    """What the workspace knows itself, to be seen until cd speaks."""
    payloads: list[Payload] = [
        Requested(
            kind=request.kind,
            project=request.project.name,
            stack=request.stack.name,
            provider=request.stack.provider,
            by=request.by,
            services=introduce(request.project),
        )
    ]
    payloads += [Diagnosed(diagnostic=each) for each in request.diagnostics]
    view, now = DeploymentView(id=request.deployment), time.time()
    for number, payload in enumerate(payloads, 1):
        view = reduce(view, Event(deployment=request.deployment, sequence=number, time=now, payload=payload))
    return msgspec.structs.replace(view, sequence=0)


def _error_class(payload: Payload) -> type[DefangError] | None:
    """The kind of error that a deployment ended with, if this version knows it."""
    found = getattr(errors, payload.error, None) if isinstance(payload, Finished) and payload.error else None
    return found if isinstance(found, type) and issubclass(found, DefangError) else None


def _call(callback: Subscriber, view: DeploymentView, event: Event) -> None:
    try:
        callback(view, event)
    except Exception:  # noqa: BLE001  # edge: a looker's fault is not the deployment's
        _log.warning("a subscriber failed", exc_info=True)

"""One resource's create, update, replace and delete: what is written before and after each call, and how a failure is undone.

The rule of every line here: killed anywhere, what is written so far tells the next run enough to go on.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import msgspec

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.events import ServiceChanged, ServiceState, StepMade
from defang_nb.model.plan import Action
from defang_nb.model.resource import Options, Recorded, Resource
from defang_nb.provision.calls import StoppedError, call, unless
from defang_nb.provision.clock import Clock
from defang_nb.provision.journal import SOON, Begin, End, Entry
from defang_nb.provision.lease import LeaseLostError
from defang_nb.provision.limits import Limits
from defang_nb.provision.ports import Emit, Made, OnCancel, Once, Operation, ResourceType, Timed, TransientError
from defang_nb.provision.readiness import Readiness
from defang_nb.provision.recovery import record_of, retired_ids
from defang_nb.provision.state import State, base_urn, retired_urn

T = TypeVar("T")

GOING_BACK = "it did not work: going back to what ran before"


class RolledBackError(Exception):
    """The change failed with `cause`, and the resource is as it was before. Never leaves the engine."""

    def __init__(self, cause: DefangError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _CallError(Exception):
    """A call to the outside failed with `cause`: something may have come of it all the same."""

    def __init__(self, cause: DefangError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Operations:
    """What all operations of one deployment share. Once `stop` is set, waiting (and what may be abandoned) is given up.

    The methods raise `DefangError` for what failed, `RolledBackError` for what failed and was undone, and `StoppedError`.
    `created` is called at the moment from which dependents may use the outputs in `state.recorded`.
    """

    def __init__(self, state: State, emit: Emit, *, deployment: str, stop: asyncio.Event, limits: Limits, clock: Clock) -> None:
        self._state = state
        self._emit = emit
        self._deployment = deployment
        self._stop = stop
        self._limits = limits
        self._clock = clock
        self._readiness = Readiness(clock)

    async def create(self, type_: ResourceType, resource: Resource, created: Callable[[], None]) -> None:
        """Make what is not there. If it never becomes ready it stays recorded, and the next deployment repairs it."""
        gone = self._state.recorded.get(resource.urn)
        await self._make(type_, resource, created, forget=gone is not None)

    async def update(self, type_: ResourceType, resource: Resource, record: Recorded, created: Callable[[], None]) -> None:
        """Change what is there; when that fails, change it back to what is recorded (if that ever worked).

        What is a deed stays failed, and is done again by the next deployment.
        """
        try:
            await self._change(type_, resource, record, created)
        except LeaseLostError:
            raise
        except DefangError as error:
            if _is_done_once(type_):
                raise
            await self._undo(record, error, self._update_back(type_, record, error))

    async def replace(self, type_: ResourceType, resource: Resource, record: Recorded, created: Callable[[], None]) -> None:
        """Make another one. The old one goes first, or (`create_before_delete`) retires, for `delete` once nobody uses it."""
        first = type_.create_before_delete
        try:
            if not first:
                await self.delete(type_, record)
            await self._make(type_, resource, created, retires=record if first else None)
        except LeaseLostError:
            raise
        except DefangError as error:
            if _is_done_once(type_):
                raise
            back = self._switch_back(type_, record) if first else self._make_again(type_, record, error)
            await self._undo(record, error, back)

    async def delete(self, type_: ResourceType, record: Recorded) -> None:
        """Unmake it, and forget it once it is gone."""
        begin = self._begin(record.urn, Action.DELETE)
        live = msgspec.structs.replace(record, urn=base_urn(record.urn))
        try:
            await self._call(type_, lambda: type_.delete(live), begin)
        except _CallError as error:
            await self._state.append(self._end(record.urn, msgspec.structs.replace(record, ready=False), begin))
            raise error.cause from error
        await self._state.append(self._end(record.urn, None, begin))

    async def _make(
        self,
        type_: ResourceType,
        resource: Resource,
        created: Callable[[], None],
        *,
        forget: bool = False,
        retires: Recorded | None = None,
    ) -> None:
        """Create, record, and wait until it is ready; `forget` what is recorded now, since it is gone, or retire it."""
        begin = self._begin(resource.urn, Action.CREATE, resource)
        operation = self._operation(resource, begin, None)
        gone = [self._end(resource.urn, None)] if forget else []
        try:
            made = await self._call(type_, self._creating(type_, operation), *gone, begin)
        except _CallError as error:
            await self._record_remains(type_, begin, resource, retires)
            raise error.cause from error
        await self._settle(type_, operation, made, begin, created, retires)

    def _creating(self, type_: ResourceType, operation: Operation) -> Callable[[], Awaitable[Made]]:
        """The call to create, which may be tried again: after a lost reply it first looks for what that call made."""
        urn, unsure = operation.resource.urn, False

        async def create() -> Made:
            nonlocal unsure
            if unsure and (found := await self._find_new(type_, urn)) is not None:
                return found
            try:
                return await type_.create(operation)
            except TransientError as error:
                unsure = unsure or not (error.refused or type_.idempotent)
                raise

        return create

    async def _find_new(self, type_: ResourceType, urn: str) -> Made | None:
        """What is live for `urn` and neither recorded nor retired, once all that was asked for shows."""
        if type_.lag:
            await self._clock.sleep(type_.lag)
        found = await type_.find(urn)
        recorded = self._state.recorded
        known = retired_ids(recorded, urn) | ({recorded[urn].id} if urn in recorded else set())
        return None if found is None or found.id in known else found

    async def _record_remains(self, type_: ResourceType, begin: Begin, resource: Resource, retires: Recorded | None) -> None:
        """What a failed create left behind is recorded. When that can't be found out, its `Begin` stays, for `recover`."""
        try:
            remains = await call(lambda: self._find_new(type_, resource.urn), self._clock)
        except DefangError:
            return
        recorded, retired = retires, None
        if remains is not None:
            recorded, retired = record_of(resource, remains, deployment=self._deployment), retires
        await self._state.append(self._end(resource.urn, recorded, begin, retired))

    async def _change(self, type_: ResourceType, resource: Resource, record: Recorded, created: Callable[[], None]) -> None:
        """Update, record, and wait until it is ready."""
        begin = self._begin(resource.urn, Action.UPDATE, resource)
        operation = self._operation(resource, begin, record)
        try:
            made = await self._call(type_, lambda: type_.update(operation), begin)
        except _CallError as error:
            await self._state.append(self._end(record.urn, msgspec.structs.replace(record, ready=False), begin))
            raise error.cause from error
        await self._settle(type_, operation, made, begin, created)

    async def _settle(
        self,
        type_: ResourceType,
        operation: Operation,
        made: Made,
        begin: Begin | None,
        created: Callable[[], None],
        retires: Recorded | None = None,
    ) -> None:
        """Record it as not ready yet, and again with the final outputs when it is; at once, where it is ready at once.

        Where it is ready in a moment, both are written together: until then its `Begin` tells of it.
        """
        resource, urn = operation.resource, operation.resource.urn
        becoming = asyncio.ensure_future(self._readiness.wait(type_, operation, made))
        try:
            await asyncio.sleep(0)
            if not becoming.done() or becoming.exception() is not None:
                record = record_of(resource, made, deployment=self._deployment)
                if retires is None and isinstance(type_, Timed) and 0 < type_.typical <= SOON:
                    await self._state.append_soon(self._end(urn, record, begin))
                else:
                    await self._state.append(self._end(urn, record, begin, retires))
                    begin, retires = None, None
                self._emit(StepMade(urn=urn))
                created()
            outputs = await unless(self._stop, becoming)
        finally:
            becoming.cancel()
        final = Made(id=made.id, outputs={**made.outputs, **outputs})
        record = record_of(resource, final, deployment=self._deployment, ready=True)
        await self._state.append(self._end(urn, record, begin, retires))
        created()

    async def _undo(self, record: Recorded, error: DefangError, back: Awaitable[None]) -> NoReturn:
        """Go `back` after `error`, and raise what came of that."""
        if record.main:
            self._emit(ServiceChanged(service=record.service, state=ServiceState.DEPLOYMENT_PENDING, detail=GOING_BACK))
        try:
            await back
        except LeaseLostError:
            raise
        except DefangError as second:
            if second is error:
                raise
            message = f"{error.message}; and going back to what it was failed too: {second.message}"
            raise ProviderError(message, hint=error.hint, diagnostics=error.diagnostics) from error
        raise RolledBackError(error) from error

    async def _update_back(self, type_: ResourceType, record: Recorded, error: DefangError) -> None:
        """Update to what was recorded before. Raises `error` when that never worked."""
        now = self._state.recorded.get(record.urn)
        if not record.ready or now is None:
            raise error
        await self._change(type_, resource_of(record), now, _nobody)

    async def _switch_back(self, type_: ResourceType, record: Recorded) -> None:
        """The replaced one takes its place again; its failed replacement retires, and is deleted."""
        failed = self._state.recorded.get(record.urn)
        if failed is None or failed.id == record.id:
            return
        await self._state.append(self._end(record.urn, record, retired=failed), self._end(retired_urn(record), None))
        await self.delete(type_, self._state.recorded[retired_urn(failed)])

    async def _make_again(self, type_: ResourceType, record: Recorded, error: DefangError) -> None:
        """The old one was deleted: unmake the failed replacement, and make the old one again.

        Raises `error` when the old one never worked, or when it was its deletion that failed.
        """
        failed = self._state.recorded.get(record.urn)
        if not record.ready or (failed is not None and failed.input_hash == record.input_hash):
            raise error
        if failed is not None:
            await self.delete(type_, failed)
        await self._make(type_, resource_of(record), _nobody)

    async def _call(self, type_: ResourceType, what: Callable[[], Awaitable[T]], *begin: Entry) -> T:
        """A call that changes something: so many at a time, none that begins after the stop, or after others took over.

        Its `begin` is durable right before it, and not while it still waits for its turn: the shorter that is, the less is
        there to settle after a crash, and the less can a holder that sleeps in between do to who took over. Raises `_CallError`
        when it was the call that failed, `DefangError` when nothing was called since `begin` could not be written.
        """

        async def held() -> T:
            await self._state.confirm()
            return await what()

        async with self._limits.of(type_):
            if self._stop.is_set():
                raise StoppedError
            await self._state.append(*begin)
            calling = call(held, self._clock)
            try:
                return await (unless(self._stop, calling) if type_.on_cancel is OnCancel.ABANDON else calling)
            except LeaseLostError:
                raise
            except DefangError as error:
                raise _CallError(error) from error

    def _begin(self, urn: str, action: Action, resource: Resource | None = None) -> Begin:
        return Begin(
            token=uuid.uuid4().hex,
            urn=urn,
            action=action,
            deployment=self._deployment,
            time=self._clock.now(),
            resource=resource,
        )

    def _end(self, urn: str, recorded: Recorded | None, begin: Begin | None = None, retired: Recorded | None = None) -> End:
        return End(
            urn=urn,
            recorded=recorded,
            retired=retired,
            token=begin.token if begin else "",
            deployment=self._deployment,
            time=self._clock.now(),
        )

    def _operation(self, resource: Resource, begin: Begin, previous: Recorded | None) -> Operation:
        return Operation(resource=resource, token=begin.token, deployment=self._deployment, emit=self._emit, previous=previous)


def _is_done_once(type_: ResourceType) -> bool:
    return isinstance(type_, Once) and type_.once


def _nobody() -> None:
    """Nobody waits for what is made as it was before."""


def resource_of(record: Recorded) -> Resource:
    """The resource, with resolved inputs, that a record was made from."""
    return Resource(
        urn=record.urn,
        type=record.type,
        inputs=record.inputs,
        options=Options(protect=record.protect, depends_on=record.dependencies),
        service=record.service,
        main=record.main,
        title=record.title,
    )

"""The executor: makes a plan true, in parallel along its graph, and keeps the state true at every instant.

Each step is a task that waits for those it needs, as much of them as it needs (created, or ready). `calls.py` makes single
calls, `operations.py` knows what one step writes and how it is undone, and here is who goes when, and what is told about it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence

import msgspec

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.events import Outcome, StepFinished, StepStarted, StepStatus
from defang_nb.model.plan import Action, Plan, Step
from defang_nb.model.resource import Need, Recorded, Resource
from defang_nb.model.value import Json, references, resolve
from defang_nb.provision.calls import StoppedError, unless
from defang_nb.provision.clock import SYSTEM_CLOCK, Clock
from defang_nb.provision.differences import differences, name_of
from defang_nb.provision.drift import drift, refresh
from defang_nb.provision.journal import End
from defang_nb.provision.lease import LeaseLostError
from defang_nb.provision.limits import Limits
from defang_nb.provision.operations import Operations, RolledBackError
from defang_nb.provision.order import deletion_order, users
from defang_nb.provision.planner import replacing
from defang_nb.provision.ports import Emit, ResourceType
from defang_nb.provision.recovery import observe, recover
from defang_nb.provision.state import State, base_urn

__all__ = ["Applied", "apply", "drift", "observe", "recover", "refresh"]

Arrival = Callable[[Resource], Awaitable[None]]
"""Raises `DefangError` for what does not come any more."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: `failed` are urns with their error, of which `rolled_back` are as they were before.

    `skipped` were not begun, and `abandoned` were given up while they ran.
    """

    outcome: Outcome
    failed: Mapping[str, DefangError] = {}
    rolled_back: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()


async def apply(
    plan: Plan,
    desired: Sequence[Resource],
    state: State,
    types: Mapping[str, ResourceType],
    emit: Emit,
    *,
    deployment: str,
    cancel: asyncio.Event,
    clock: Clock = SYSTEM_CLOCK,
    arrival: Arrival | None = None,
) -> Applied:
    """Carry out `plan` (made from the same `desired` and `state.recorded`), and wait until all is ready.

    `arrival` waits for what a resource is made from and is still on its way; its step begins then.

    Emits `StepStarted` and `StepFinished`; nothing for what is kept. One step's failure stops what depends on it and nothing
    else; a failed update or replacement is rolled back. Once `cancel` is set no step begins. Raises `LeaseLostError`, with
    every step stopped, when another deployment took the project over, and `ProviderError` when the state can't be written at
    all; the failures of steps are in what is returned.
    """
    stop = asyncio.Event()
    async with _stopping(stop, [cancel, *([state.lost] if state.lost else [])]):
        unfinished = {begin.urn for begin in state.pending}
        await recover(state, types, deployment=deployment, clock=clock)
        operations = Operations(state, emit, deployment=deployment, stop=stop, limits=Limits(), clock=clock)
        run = _Run(plan, desired, state, types, emit, operations, stop, recovered=unfinished, arrival=arrival)
        try:
            await _all([run.step(step) for step in plan.steps])
            await run.remove_replaced()
            await run.record_descriptions(deployment, clock.now())
            with contextlib.suppress(DefangError):  # what can't be settled now is settled by the next deployment
                await recover(state, types, deployment=deployment, clock=clock)
        finally:
            await state.drain()
    await state.confirm()
    try:
        await state.compact()
    except LeaseLostError:
        raise
    except DefangError:
        pass  # all is recorded: that it takes longer to read is no failure
    return run.applied()


class _Progress:
    """How far a step is: `created` when dependents may use its outputs, `over` at its end; `root` is what failed first.

    `later`: a deletion whose turn comes only when what was replaced in this run is deleted too.
    """

    def __init__(self) -> None:
        self.created = asyncio.Event()
        self.over = asyncio.Event()
        self.root = ""
        self.later = False


class _Run:
    """One plan's execution. Changed by its own methods only, all in one event loop."""

    def __init__(
        self,
        plan: Plan,
        desired: Sequence[Resource],
        state: State,
        types: Mapping[str, ResourceType],
        emit: Emit,
        operations: Operations,
        stop: asyncio.Event,
        *,
        recovered: set[str],
        arrival: Arrival | None,
    ) -> None:
        self._plan = plan
        self._desired = {resource.urn: resource for resource in desired}
        self._state = state
        self._types = types
        self._emit = emit
        self._operations = operations
        self._stop = stop
        self._recovered = recovered
        self._arrival = arrival
        self._progress = {step.urn: _Progress() for step in plan.steps}
        self._failed: dict[str, DefangError] = {}
        self._skipped: dict[str, None] = {}
        self._begun: set[str] = set()
        self._rolled_back: list[str] = []
        self._retiring: set[str] = set()
        self._stopped = False

    def applied(self) -> Applied:
        outcome = Outcome.CANCELLED if self._stopped else Outcome.FAILED if self._failed else Outcome.SUCCEEDED
        return Applied(
            outcome=outcome,
            failed=dict(self._failed),
            rolled_back=tuple(self._rolled_back),
            skipped=tuple(urn for urn in self._skipped if urn not in self._begun),
            abandoned=tuple(urn for urn in self._skipped if urn in self._begun),
        )

    async def step(self, step: Step) -> None:
        """Wait until it is this step's turn, do it, and tell how it went."""
        progress = self._progress[step.urn]
        try:
            if step.action is not Action.KEEP or step.urn in self._recovered:
                await unless(self._stop, self._turn(step))
                if progress.root:
                    self._skip(step, f"{progress.root} failed")
                elif self._stop.is_set():
                    raise StoppedError
                elif step.action is Action.DELETE and self._comes_later(step):
                    progress.later = True
                else:
                    await self._do(step, progress)
        except StoppedError:
            progress.root = _called(step)
            self._stopped = True
            self._skip(step, "cancelled while it ran" if step.urn in self._begun else "cancelled")
        finally:
            progress.created.set()
            progress.over.set()

    async def _turn(self, step: Step) -> None:
        """Wait for what the step needs; sets its root when that failed.

        Who refers to an output that is only known once the other is ready waits for that, though being created was enough.
        """
        resource = self._desired.get(step.urn)
        needs = resource.dependencies if resource is not None else dict.fromkeys(step.after, Need.READY)
        for urn, need in needs.items():
            other = self._progress[urn]
            if need is Need.CREATED:
                await other.created.wait()
                if not other.root and resource is not None and self._outputs_known(resource, urn):
                    continue
            await other.over.wait()
            if other.root:
                self._progress[step.urn].root = other.root
                return

    def _comes_later(self, step: Step) -> bool:
        """Whether something that was replaced in this run, and is still there, may use what the step deletes."""
        return any(urn in self._retiring or self._progress[urn].later for urn in step.after)

    def _outputs_known(self, resource: Resource, urn: str) -> bool:
        record = self._state.recorded.get(urn)
        wanted = {output for other, output in references(resource.inputs) if other == urn}
        return record is not None and wanted <= record.outputs.keys()

    async def _do(self, step: Step, progress: _Progress) -> None:
        try:
            action, resource = self._decide(step)
            if action is Action.KEEP:
                adopted = step.action is Action.ADOPT
                self._finish(step, step.action if adopted else action, StepStatus.DONE, "adopted" if adopted else "unchanged")
                return
            if resource is not None and self._arrival is not None:
                await unless(self._stop, self._arrival(resource))
            self._begun.add(step.urn)
            self._emit(StepStarted(urn=step.urn, action=action, service=step.service, title=step.title))
            await self._perform(step, action, resource, progress)
        except RolledBackError as error:
            self._rolled_back.append(step.urn)
            main = step.urn in self._desired and self._desired[step.urn].main
            now = "what ran before runs again" if main else "it is as it was before"
            self._fail(step, progress, StepStatus.ROLLED_BACK, error.cause, f"{error.cause.message}; {now}")
        except DefangError as error:
            self._fail(step, progress, StepStatus.FAILED, error, error.message)
        else:
            self._finish(step, action, StepStatus.DONE, "")

    def _decide(self, step: Step) -> tuple[Action, Resource | None]:
        """What the step comes to, now that everything it refers to is known; and its resource with resolved inputs."""
        record = self._state.recorded.get(step.urn)
        resource = self._desired.get(step.urn)
        if resource is None:
            return (Action.DELETE if record is not None else Action.KEEP), None
        resource = self._resolved(resource)
        if record is None or (step.action is Action.CREATE and step.urn not in self._recovered):
            return Action.CREATE, resource
        found = differences(record.inputs, resource.inputs)
        if replacing(self._types[step.type], found):
            if record.protect and not step.protect:
                raise ProviderError(f"{_called(step)} is protected, and would have to be replaced", hint="make a new plan")
            return Action.REPLACE, resource
        needless = record.ready and not found and (bool(step.changes) or step.action in (Action.KEEP, Action.ADOPT))
        return (Action.KEEP if needless else Action.UPDATE), resource

    async def _perform(self, step: Step, action: Action, resource: Resource | None, progress: _Progress) -> None:
        type_ = self._types[step.type]
        record = self._state.recorded.get(step.urn)
        if action is Action.CREATE and resource is not None:
            await self._operations.create(type_, resource, progress.created.set)
        elif record is None:
            return
        elif action is Action.UPDATE and resource is not None:
            await self._operations.update(type_, resource, record, progress.created.set)
        elif action is Action.REPLACE and resource is not None:
            await self._operations.replace(type_, resource, record, progress.created.set)
            if type_.create_before_delete:
                self._retiring.add(step.urn)
        else:
            await self._operations.delete(type_, record)

    def _resolved(self, resource: Resource) -> Resource:
        """`resource` with the outputs that it refers to, and what it depends on written out."""

        def output(urn: str, name: str) -> Json:
            record = self._state.recorded.get(urn)
            if record is None or name not in record.outputs:
                raise ProviderError(f"{name_of(urn)} has no output {name!r}, which {name_of(resource.urn)} needs")
            return record.outputs[name]

        options = msgspec.structs.replace(resource.options, depends_on=resource.dependencies)
        return msgspec.structs.replace(resource, inputs=resolve(dict(resource.inputs), output), options=options)

    async def remove_replaced(self) -> None:
        """Delete what this run replaced, now that its users use the replacement, and what had to wait for that.

        What may still be used is left for later: what a step that failed uses, and what is used by something that is left.
        """
        recorded = self._state.recorded
        waiting = {step.urn: step for step in self._plan.steps if self._progress[step.urn].later}
        retired = [urn for urn in recorded if urn != base_urn(urn) and urn not in self._progress]
        unsure = {urn for step in self._plan.steps if self._progress[step.urn].root for urn in (step.urn, *step.after)}
        using = users(recorded)
        left: set[str] = set()
        steps: dict[str, Step] = {}
        for urn in deletion_order([*retired, *waiting], recorded):
            record, of_it = recorded[urn], using.get(base_urn(urn), ())
            if (urn not in waiting and base_urn(urn) in unsure) or not left.isdisjoint(of_it):
                left.add(urn)
                continue
            step = Step(urn=urn, type=record.type, action=Action.DELETE, service=record.service, title=record.title)
            first = tuple(user for user in of_it if user in steps)
            steps[urn] = msgspec.structs.replace(waiting.get(urn, step), after=first)
        for urn in left & waiting.keys():
            self._skip(waiting[urn], "is still used")
        self._progress |= {urn: _Progress() for urn in steps}
        self._retiring.clear()
        await _all([self.step(step) for step in steps.values()])

    async def record_descriptions(self, deployment: str, now: float) -> None:
        """Record new titles, services, protection and dependencies of what is kept: they are no part of its inputs."""
        entries = []
        for step in self._plan.steps:
            record, resource = self._state.recorded.get(step.urn), self._desired.get(step.urn)
            if record is not None and resource is not None and not self._progress[step.urn].root:
                described = _described(record, resource)
                if described != record:
                    entries.append(End(urn=step.urn, recorded=described, deployment=deployment, time=now))
        if entries and not self._stop.is_set():
            await self._state.append(*entries)

    def _skip(self, step: Step, why: str) -> None:
        self._skipped[step.urn] = None
        self._finish(step, step.action, StepStatus.SKIPPED, why)

    def _fail(self, step: Step, progress: _Progress, status: StepStatus, error: DefangError, message: str) -> None:
        progress.root = _called(step)
        self._failed[step.urn] = error
        self._finish(step, step.action, status, message)

    def _finish(self, step: Step, action: Action, status: StepStatus, message: str) -> None:
        self._emit(StepFinished(urn=step.urn, action=action, status=status, message=message))


def _called(step: Step) -> str:
    return step.title or name_of(step.urn)


def _described(record: Recorded, resource: Resource) -> Recorded:
    return msgspec.structs.replace(
        record,
        dependencies=dict(resource.dependencies),
        protect=resource.options.protect,
        service=resource.service,
        main=resource.main,
        title=resource.title,
    )


@contextlib.asynccontextmanager
async def _stopping(stop: asyncio.Event, causes: Sequence[asyncio.Event]) -> AsyncIterator[None]:
    """Inside, `stop` is set as soon as one of `causes` is."""

    async def follow(cause: asyncio.Event) -> None:
        await cause.wait()
        stop.set()

    if any(cause.is_set() for cause in causes):
        stop.set()
    following = [asyncio.create_task(follow(cause)) for cause in causes]
    try:
        yield
    finally:
        for task in following:
            task.cancel()
        await asyncio.wait(following)


async def _all(doing: Sequence[Coroutine[None, None, None]]) -> None:
    """Do all. When one breaks off (which no failure of a resource does), or we are told to, stop the others first."""
    tasks = [asyncio.create_task(each) for each in doing]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result

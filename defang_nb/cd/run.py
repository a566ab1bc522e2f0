"""One deployment, from the lease to its outcome. Whatever happens, its story ends with exactly one `Finished`."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from collections.abc import Collection, Mapping, Sequence

import msgspec

from defang_nb.cd.expected import check_expected
from defang_nb.cd.narrator import Narrator
from defang_nb.cd.repair import Repair
from defang_nb.cd.story import Story
from defang_nb.errors import BuildError, DefangError, ProviderError, UsageError
from defang_nb.model.events import Diagnosed, Finished, Kind, Outcome, Planned, Requested, ServiceInfo, Stage, StageChanged
from defang_nb.model.plan import Action, Plan, Step
from defang_nb.model.request import DeployRequest, introduce
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.providers import retention
from defang_nb.providers.base import Keeping, Provider
from defang_nb.providers.uploads import Arrivals
from defang_nb.provision.calls import StoppedError, unless
from defang_nb.provision.drift import Observed
from defang_nb.provision.executor import Applied, apply, drift, observe, recover, refresh
from defang_nb.provision.lease import Holding, Lease
from defang_nb.provision.moves import explain
from defang_nb.provision.owner import this_process
from defang_nb.provision.planner import plan as make_plan
from defang_nb.provision.ports import ObjectStore
from defang_nb.provision.state import State
from defang_nb.provision.strays import adopt, owned, removal, strays

_log = logging.getLogger(__name__)

_NAMED = 3
"""So many resources are named in one sentence."""

AGAIN = "run `up` again: it continues from where this one stopped"


class Run:
    """`cancel` ends it in good order, as does the end of cd itself (`end`)."""

    def __init__(
        self, request: DeployRequest, provider: Provider, store: ObjectStore, story: Story, running: Collection[str] = ()
    ) -> None:
        """`running` are the ids of all deployments that this process runs, now and later."""
        self.request = request
        self.story = story
        self._provider = provider
        self.store = store
        self._running = running
        self._cancel = asyncio.Event()
        self._reason = ""
        self._state: State | None = None

    def cancel(self) -> None:
        """Somebody asked for it: no step begins any more."""
        self._cancel.set()

    def end(self, reason: str) -> None:
        """Stop like `cancel`, but tell it as a failure, for `reason`."""
        self._reason = self._reason or reason
        self._cancel.set()

    async def go(self) -> None:
        """Carry it out and tell it."""
        request = self.request
        timer = None
        if request.wait_timeout is not None:
            reason = f"not done within {request.wait_timeout:g} s"
            timer = asyncio.get_running_loop().call_later(request.wait_timeout, self.end, reason)
        try:
            self.story.tell(await self._requested())
            for diagnostic in request.diagnostics:
                self.story.tell(Diagnosed(diagnostic=diagnostic))
            finished = await self._attempt()
        except DefangError as error:
            self._tell_all(error.diagnostics)
            finished = _failed(error)
        except OSError as error:
            finished = Finished(outcome=Outcome.FAILED, message=f"this machine refused: {error}", hint=_way_out(error))
        except asyncio.CancelledError:
            finished = Finished(outcome=Outcome.FAILED, message=self._reason or "cd was ended", hint=AGAIN)
        except Exception as error:  # noqa: BLE001  # edge: a fault of ours must end the story too, and cd must go on
            _log.exception("deployment %s broke", request.deployment)
            message = f"internal error: {type(error).__name__}: {error}"
            finished = Finished(outcome=Outcome.FAILED, message=message, hint="cd's log has the details; please report it")
        finally:
            if timer:
                timer.cancel()
        if self._reason and finished.outcome is Outcome.CANCELLED:
            finished = Finished(outcome=Outcome.FAILED, message=self._reason, hint=AGAIN)
        await self.story.finish(finished)

    async def tidy(self) -> None:
        """When it has gone, and nobody waits for it any more: delete what is too old. Raises `ProviderError`."""
        if self._state is not None:
            await self._state.tidy()
        await retention.tidy(self.store, self.request.project.name, time.time())

    async def _requested(self) -> Requested:
        request = self.request
        services = introduce(request.project)
        if request.kind in (Kind.DOWN, Kind.REFRESH) and not (request.repair or request.orphans):
            state = await State.open(self.store, request.project.name)
            mains = sorted((each for each in state.recorded.values() if each.main), key=lambda each: each.service)
            services = tuple(ServiceInfo(name=each.service, what=each.title) for each in mains)
        return Requested(
            kind=request.kind,
            project=request.project.name,
            stack=request.stack.name,
            provider=request.stack.provider,
            by=request.by,
            services=services,
        )

    async def _attempt(self) -> Finished:
        request, name = self.request, self.request.project.name
        self.story.tell(StageChanged(stage=Stage.QUEUED))
        if request.dry_run:
            return await self._go_on(await State.open(self.store, name))
        wait = request.lease_wait
        lease = Lease(
            self.store,
            name,
            deployment=request.deployment,
            wait=wait,
            on_wait=self._tell_wait,
            repair=request.repair,
            over=self._over,
        )
        async with contextlib.AsyncExitStack() as held:
            try:
                await unless(self._cancel, held.enter_async_context(lease))
            except StoppedError:
                return Finished(outcome=Outcome.CANCELLED, message="cancelled before it began")
            if request.repair:
                return await self._repair(lease)
            self._state = await State.open(self.store, name, lease=lease)
            return await self._go_on(self._state)

    async def _repair(self, lease: Lease) -> Finished:
        request, types = self.request, self._provider.resource_types()
        self.story.tell(StageChanged(stage=Stage.PLANNING))
        repair = Repair(self.store, self._provider, request.project.name, request.deployment)
        await repair.begin(lease, self.story.tell)
        state = await State.open(self.store, request.project.name, lease=lease)
        await recover(state, types, deployment=request.deployment)
        said = await repair.finish(state)
        return Finished(outcome=Outcome.SUCCEEDED, message=said, hint="`up` brings all to what the project says")

    def _over(self, holding: Holding) -> bool:
        """Whether one of our own deployments holds the lease still, though it has ended: it could not write that down."""
        return holding.owner == this_process() and holding.deployment not in self._running

    def _tell_wait(self, holding: Holding) -> None:
        detail = f"waiting for deployment {holding.deployment} of {holding.owner}"
        self.story.tell(StageChanged(stage=Stage.QUEUED, detail=detail))

    def _tell_upload(self, detail: str) -> None:
        self.story.tell(StageChanged(stage=Stage.PROVISIONING, detail=detail))

    async def _go_on(self, state: State) -> Finished:
        request, types = self.request, self._provider.resource_types()
        self.story.tell(StageChanged(stage=Stage.PLANNING))
        await recover(state, types, deployment=request.deployment)
        observed = await observe(state.recorded, types)
        if request.kind is Kind.REFRESH:
            return await self._refresh(state, observed)
        drifted = await refresh(state, observed, deployment=request.deployment)
        if request.orphans:
            return await self._remove_orphans(state)
        desired = await self._desired()
        adopted = await adopt(desired, state, types, project=request.project.name, deployment=request.deployment)
        plan = make_plan(
            desired, state.recorded, types, observed,
            force=self._forced(desired), drifted=drifted, adopted=adopted, state_version=state.version,
        )  # fmt: skip
        plan = self._explain(self._respect_protection(plan, state.recorded), desired, state.recorded)
        self.story.tell(Planned(plan=plan))
        if request.expected is not None:
            check_expected(plan, request.expected)
        await self._contexts(plan, desired)
        await self._preflight(desired, state.recorded)
        if request.dry_run:
            return Finished(outcome=Outcome.SUCCEEDED, message=_count(plan, "would be "))
        return await self._apply(plan, desired, state)

    async def _remove_orphans(self, state: State) -> Finished:
        """Delete what carries our tag and no record knows, and nothing else."""
        types, project, deployment = self._provider.resource_types(), self.request.project.name, self.request.deployment
        orphans = strays(await owned(types, project), state)
        if orphans and not self.request.yes:
            titles = ", ".join(each.title or each.urn for each in orphans)
            raise UsageError(f"this would delete {titles}", hint="say `--yes` to allow it")
        plan = await removal(orphans, state, types, deployment=deployment)
        self.story.tell(Planned(plan=plan))
        return await self._apply(plan, (), state)

    async def _refresh(self, state: State, observed: Observed) -> Finished:
        """Tell what is not as recorded; with consent, record it as it is."""
        steps = drift(state.recorded, observed)
        self.story.tell(Planned(plan=Plan(steps=steps, state_version=state.version)))
        if not steps:
            return Finished(outcome=Outcome.SUCCEEDED, message="all is as recorded")
        some = f"{len(steps)} of {len(state.recorded)} are not as recorded"
        if not self.request.accept:
            hint = "`up` brings them back to what the project says, `refresh --accept` records them as they are"
            return Finished(outcome=Outcome.SUCCEEDED, message=some, hint=hint)
        await refresh(state, observed, deployment=self.request.deployment, forget=True)
        return Finished(outcome=Outcome.SUCCEEDED, message=f"{some}; they are recorded as they are now")

    async def _desired(self) -> Sequence[Resource]:
        request = self.request
        if request.kind is Kind.DOWN:
            return ()
        digests = await self._provider.config.digests(request.project.name)
        return self._provider.compile(request.project, request.images, digests)

    def _forced(self, desired: Sequence[Resource]) -> Collection[str]:
        """The images, when they shall be built even where they exist."""
        references = {image.reference for image in self.request.images} if self.request.build else set()
        return [each.urn for each in desired if not each.main and each.inputs.get("reference") in references]

    def _respect_protection(self, plan: Plan, recorded: Mapping[str, Recorded]) -> Plan:
        """Without consent, what is protected (and what that needs) is kept, and never replaced."""
        if self.request.yes:
            return plan
        if lost := [step for step in plan.steps if step.protect and step.action is Action.REPLACE]:
            message, hint = f"this would delete data: {_titles(lost)}", "say `--yes` to allow it"
            if not self.request.dry_run:
                raise UsageError(message, hint=hint)
            hint = "`up --yes` does it all the same"
            told = Diagnostic(severity=Severity.WARNING, code="deletes-data", message=message, hint=hint)
            self.story.tell(Diagnosed(diagnostic=told))
            return plan
        kept = [step for step in plan.steps if step.protect and step.action is Action.DELETE]
        if not kept:
            return plan
        again = "down" if self.request.kind is Kind.DOWN else "up"
        message, hint = f"kept, since it holds data: {_titles(kept)}", f"`{again} --yes` deletes it"
        self.story.tell(Diagnosed(diagnostic=Diagnostic(severity=Severity.INFO, code="kept-data", message=message, hint=hint)))
        spared = _with_dependencies([step.urn for step in kept], recorded)
        return msgspec.structs.replace(plan, steps=tuple(step for step in plan.steps if step.urn not in spared))

    def _explain(self, plan: Plan, desired: Sequence[Resource], recorded: Mapping[str, Recorded]) -> Plan:
        """Tell what several steps mean together: a service that was renamed, a port that moves."""
        if self.request.kind is Kind.DOWN:
            return plan
        explained = explain(plan, desired, recorded, self._provider.resource_types())
        for words in explained.words:
            self.story.tell(Diagnosed(diagnostic=Diagnostic(severity=Severity.INFO, code="moved", message=words)))
        return explained.plan

    async def _contexts(self, plan: Plan, desired: Sequence[Resource]) -> None:
        """Refuse what would have to be built from a context that is not (or no longer) there, before anything is touched."""
        if self.request.dry_run and not self.request.rollback_of:
            return  # the workspace uploads nothing for a preview
        images = {image.reference: image for image in self.request.images}
        made = {step.urn for step in plan.mutations}
        needed = {str(each.inputs.get("reference")) for each in desired if not each.main and each.urn in made}
        for reference, image in images.items():
            coming = image.context_key in self.request.uploading
            if reference in needed and not coming and not await self.store.list(image.context_key):
                what = f"the image of {' and '.join(image.services)} would have to be built"
                raise BuildError(
                    f"{what}, and its build context is no longer kept", hint="`up` from its source uploads it anew"
                )

    async def _preflight(self, desired: Sequence[Resource], recorded: Mapping[str, Recorded]) -> None:
        if self.request.kind is Kind.DOWN:
            return
        found = await self._provider.preflight(self.request.project, desired, recorded)
        self._tell_all(found)
        errors = [each for each in found if each.severity is Severity.ERROR]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise ProviderError(errors[0].message + more, hint=errors[0].hint)

    async def _apply(self, plan: Plan, desired: Sequence[Resource], state: State) -> Finished:
        narrator = Narrator(self.story.tell, plan, desired, state, self.request.images)
        self.story.tell(StageChanged(stage=Stage.PROVISIONING))
        narrator.introduce()
        types, deployment = self._provider.resource_types(), self.request.deployment
        removed = [
            state.recorded[step.urn] for step in plan.steps if step.action is Action.DELETE and step.urn in state.recorded
        ]
        arrivals = Arrivals(self.store, deployment, self.request.uploading, self._tell_upload)
        emit = arrivals.hearing(narrator.hear)
        try:
            applied = await apply(
                plan, desired, state, types, emit, deployment=deployment, cancel=self._cancel, arrival=arrivals.of
            )
        finally:
            await arrivals.end()
            await self._clean_up()
        if self.request.kind is Kind.DOWN and applied.outcome is Outcome.SUCCEEDED:
            await self._tell_kept(removed)
        return self._outcome(applied, plan)

    async def _tell_kept(self, removed: Sequence[Recorded]) -> None:
        """What stays on purpose. That it can't be told is no failure."""
        if isinstance(self._provider, Keeping):
            with contextlib.suppress(DefangError):
                kept = await self._provider.kept(self.request.project.name, removed)
                found = [Diagnostic(severity=Severity.INFO, code="kept", message=f"stays on purpose: {each}") for each in kept]
                self._tell_all(found)

    async def _clean_up(self) -> None:
        try:
            await self._provider.cleanup(self.request.project.name)
        except (DefangError, OSError) as error:
            hint = error.hint if isinstance(error, DefangError) else _way_out(error)
            diagnostic = Diagnostic(severity=Severity.WARNING, code="cleanup", message=str(error), hint=hint)
            self.story.tell(Diagnosed(diagnostic=diagnostic))

    def _outcome(self, applied: Applied, plan: Plan) -> Finished:
        for error in applied.failed.values():
            self._tell_all(error.diagnostics)
        match applied.outcome:
            case Outcome.SUCCEEDED:
                return Finished(outcome=Outcome.SUCCEEDED, message=_count(plan, ""))
            case Outcome.CANCELLED:
                return Finished(outcome=Outcome.CANCELLED, message=f"cancelled{_left(applied, plan)}", hint=AGAIN)
            case _:
                first = next(iter(applied.failed.values()), ProviderError("a step failed"))
                more = f" (and {len(applied.failed) - 1} more)" if len(applied.failed) > 1 else ""
                return _failed(first, f"{more}{_left(applied, plan)}")

    def _tell_all(self, diagnostics: Sequence[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self.story.tell(Diagnosed(diagnostic=diagnostic))


def _failed(error: DefangError, more: str = "") -> Finished:
    return Finished(outcome=Outcome.FAILED, message=error.message + more, hint=error.hint, error=type(error).__name__)


def _way_out(error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"make room on the disk, then {AGAIN}" if full else AGAIN


def _left(applied: Applied, plan: Plan) -> str:
    """What became of the rest, as more words of a sentence: what is as before, what was given up, what was not begun."""
    titles = {step.urn: step.title or step.urn for step in plan.steps}

    def named(urns: Sequence[str]) -> str:
        known = [titles[urn] for urn in urns if urn in titles]
        return " and ".join([", ".join(known[:_NAMED]), *([f"{len(known) - _NAMED} more"] if len(known) > _NAMED else [])])

    said = [f"rolled back to what was there before: {named(applied.rolled_back)}"] if applied.rolled_back else []
    said += [f"given up while it ran: {named(applied.abandoned)}"] if applied.abandoned else []
    said += (
        [f"{len(applied.skipped)} of {len(plan.mutations)} steps not begun: {named(applied.skipped)}"]
        if applied.skipped
        else []
    )
    return "".join(f"; {each}" for each in said)


def _titles(steps: Sequence[Step]) -> str:
    return ", ".join(step.title or step.urn for step in steps)


def _with_dependencies(urns: Sequence[str], recorded: Mapping[str, Recorded]) -> set[str]:
    """`urns` and all that they depend on, by the record."""
    found: set[str] = set()
    ahead = list(urns)
    while ahead:
        urn = ahead.pop()
        if urn not in found:
            found.add(urn)
            ahead += recorded[urn].dependencies if urn in recorded else ()
    return found


_WORDS = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.ADOPT: "adopted",
}


def _count(plan: Plan, prefix: str) -> str:
    """`2 created, 1 updated`, or that nothing had to be done."""
    counted = [f"{plan.count(action)} {prefix}{word}" for action, word in _WORDS.items() if plan.count(action)]
    return ", ".join(counted) or "nothing to change"

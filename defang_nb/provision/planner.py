"""The planner: what has to happen so that what is recorded becomes what is desired. Pure.

Records hold inputs with the references already resolved (configuration stays symbolic). An output of a resource that is kept is
known now; one of a resource that changes is known only later, and a difference that hangs on it makes a step that "may change":
the executor compares again with the real value, and keeps the resource when nothing differs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.model.plan import Action, Plan, Step
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json
from defang_nb.provision.differences import Difference, change, differences, name_of, resolve_known, words
from defang_nb.provision.drift import Observed, outside
from defang_nb.provision.order import creation_order, deletion_order, users
from defang_nb.provision.ports import ResourceType
from defang_nb.provision.state import base_urn


def plan(
    desired: Sequence[Resource],
    recorded: Mapping[str, Recorded],
    types: Mapping[str, ResourceType],
    observed: Observed,
    *,
    force: Collection[str] = (),
    drifted: Mapping[str, Collection[str]] = MappingProxyType({}),
    adopted: Collection[str] = (),
    state_version: str = "",
) -> Plan:
    """The steps from `recorded` to `desired`; nothing desired takes everything down.

    `observed` (urn → live outputs, None: gone, absent: unknown) is what `executor.observe` saw; {} trusts the record. `force`
    names urns that are updated though nothing changed, `drifted` (urn → properties) what was changed by others than us, and
    `adopted` urns that were found and recorded just now.
    Raises `DefangError` for a dependency cycle, for a dependency that is not desired, and `ProviderError` for a type that is
    not in `types`.
    """
    known: dict[str, Mapping[str, Json]] = {}
    steps: dict[str, Step] = {}
    for resource in creation_order(desired):
        type_ = _type(resource.type, types)
        inputs = resolve_known(resource.inputs, known)
        record = recorded.get(resource.urn)
        step = _step(resource, record, type_, inputs, gone=observed.get(resource.urn, {}) is None, forced=resource.urn in force)
        if step.action.mutates and step.changes and {each.path for each in step.changes} <= set(drifted.get(resource.urn, ())):
            step = msgspec.structs.replace(step, cause=outside(each.path for each in step.changes))
        if resource.urn in adopted and step.action is not Action.CREATE:
            step = _adopted(step, known_inputs=record is not None and bool(record.inputs))
        if record is not None and (step.action is Action.ADOPT or not step.action.mutates):
            known[resource.urn] = record.outputs
        steps[resource.urn] = step
    doomed = [urn for urn in recorded if urn not in steps]
    return Plan(steps=(*steps.values(), *_deletions(doomed, recorded, types, steps)), state_version=state_version)


def _adopted(step: Step, *, known_inputs: bool) -> Step:
    """What is told of it. What it was made from is not always known: then all is set anew, and there is nothing to compare."""
    cause = "exists already, with no record of it"
    if step.action is Action.KEEP:
        return msgspec.structs.replace(step, action=Action.ADOPT, cause=cause)
    if not known_inputs and step.action is Action.UPDATE:
        return msgspec.structs.replace(step, cause=f"{cause} or of what it was made from: adopted, and set anew", changes=())
    return msgspec.structs.replace(step, cause=f"{cause}: adopted; {step.cause}")


def replacing(type_: ResourceType, found: Collection[Difference]) -> list[Difference]:
    """Those of the differences that make it another resource."""
    return [each for each in found if each.top in type_.replace_on]


def _step(
    resource: Resource,
    record: Recorded | None,
    type_: ResourceType,
    inputs: Mapping[str, Json],
    *,
    gone: bool,
    forced: bool,
) -> Step:
    found = differences({} if record is None or gone else record.inputs, inputs)
    action, cause = _decide(record, type_, found, gone=gone, forced=forced)
    if forced and action is Action.UPDATE and all(each.unknown for each in found):
        found = ()  # an update without changes is done for its own sake, and never found to be needless
    return Step(
        urn=resource.urn,
        type=resource.type,
        action=action,
        cause=cause,
        changes=tuple(change(each, replaces=action is Action.REPLACE and each.top in type_.replace_on) for each in found),
        service=resource.service,
        title=resource.title,
        protect=action is Action.REPLACE and (resource.options.protect or (record is not None and record.protect)),
        after=tuple(resource.dependencies),
    )


def _decide(
    record: Recorded | None, type_: ResourceType, found: Collection[Difference], *, gone: bool, forced: bool
) -> tuple[Action, str]:
    if record is None:
        return Action.CREATE, "new in the project"
    if gone:
        return Action.CREATE, "is gone"
    if others := replacing(type_, found):
        return Action.REPLACE, f"{_cause(others)}, which needs a new one"
    if any(not each.unknown for each in found):
        return Action.UPDATE, _cause(found)
    if not record.ready:
        return Action.UPDATE, "was never ready"
    if forced:
        return Action.UPDATE, "asked for"
    if found:
        return Action.UPDATE, _cause(found)
    return Action.KEEP, "unchanged"


def _cause(found: Collection[Difference]) -> str:
    if certain := [each.path for each in found if not each.unknown]:
        return words(certain, "changed")
    return words([name_of(urn) for each in found for urn in each.unknown], "may change")


def _deletions(
    doomed: Sequence[str], recorded: Mapping[str, Recorded], types: Mapping[str, ResourceType], steps: Mapping[str, Step]
) -> list[Step]:
    """Each after its users: those that go too, and those that stay and will have been changed to do without it."""
    using = users(recorded)
    deletions: dict[str, Step] = {}
    for urn in deletion_order(doomed, recorded):
        record = recorded[urn]
        _type(record.type, types)
        first = [user for user in using.get(base_urn(urn), ()) if user in deletions or _mutates(steps.get(user))]
        if _mutates(steps.get(base_urn(urn))):
            first.append(base_urn(urn))
        deletions[urn] = Step(
            urn=urn,
            type=record.type,
            action=Action.DELETE,
            cause="no longer in the project" if base_urn(urn) == urn else "was replaced",
            service=record.service,
            title=record.title,
            protect=record.protect,
            after=tuple(first),
        )
    return list(deletions.values())


def _mutates(step: Step | None) -> bool:
    return step is not None and step.action.mutates


def _type(name: str, types: Mapping[str, ResourceType]) -> ResourceType:
    if name not in types:
        raise ProviderError(f"this provider does not know resources of type {name!r}", hint="update defang-nb")
    return types[name]

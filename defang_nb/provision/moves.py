"""What a plan's steps mean together, for people: a service that has another name, a port that goes to another one. Pure.

The engine knows nothing of names: to it, a renamed service is one that goes and one that comes. That it is the same one is seen
by its inputs, and only told; nothing is done in another way for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from defang_nb.model.plan import Action, Plan, Step
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json
from defang_nb.provision.ports import Exclusive, ResourceType

LIKENESS = 0.6
"""The part of the properties (those that say something) that has to be the same for a service to count as renamed."""


class Explained(msgspec.Struct, frozen=True):
    """A plan whose causes say more, and what there is to say about several steps together."""

    plan: Plan
    words: tuple[str, ...] = ()


def explain(
    plan: Plan, desired: Sequence[Resource], recorded: Mapping[str, Recorded], types: Mapping[str, ResourceType]
) -> Explained:
    """`plan` (from `recorded` to `desired`), with renamed services and moved claims told."""
    moved = dict(_moved(desired, recorded, types))
    pairs = renamed(desired, recorded)
    said = [_said(old, new, plan, desired, recorded, moved) for old, new in pairs.items()]
    alone = {what: (old, new) for what, (old, new) in moved.items() if pairs.get(old) != new}
    if alone:
        said.append(", ".join(f"{what} moves from {old} to {new}" for what, (old, new) in alone.items()))
    if not pairs:
        return Explained(plan, tuple(said))
    steps = tuple(_with_cause(step, pairs) for step in plan.steps)
    return Explained(msgspec.structs.replace(plan, steps=steps), tuple(said))


def renamed(desired: Sequence[Resource], recorded: Mapping[str, Recorded]) -> Mapping[str, str]:
    """Old name → new name, of services that go while one comes that is otherwise as they were; the most alike first."""
    there = {each.service for each in desired if each.main}
    before = {each.service for each in recorded.values() if each.main}
    gone = [each for each in recorded.values() if each.main and each.service not in there]
    new = [each for each in desired if each.main and each.service not in before]
    scores = [(likeness(old, it), old.service, it.service) for old in gone for it in new if old.type == it.type]
    pairs: dict[str, str] = {}
    for score, old_name, name in sorted(scores, key=lambda each: -each[0]):
        if score >= LIKENESS and old_name not in pairs and name not in pairs.values():
            pairs[old_name] = name
    return pairs


def likeness(record: Recorded, resource: Resource) -> float:
    """0 to 1. Properties that are empty on both sides say nothing, as do those that are only known later."""
    same = other = 0
    for name in {*record.inputs, *resource.inputs}:
        before, after = record.inputs.get(name), resource.inputs.get(name)
        if (not before and not after) or _waits(after):
            continue
        if _named(before, record.service, resource.service) == _named(after, "", ""):
            same += 1
        else:
            other += 1
    return same / (same + other) if same + other else 0.0


def _named(value: Json, old: str, new: str) -> str:
    """A value as text, with one name in place of another: what is called after its service changes with it."""
    text = msgspec.json.encode(value, order="sorted").decode()
    return text.replace(old, new) if old else text


def _waits(value: Json) -> bool:
    return b'"$ref"' in msgspec.json.encode(value)


def _moved(
    desired: Sequence[Resource], recorded: Mapping[str, Recorded], types: Mapping[str, ResourceType]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """What only one can have, and goes from one to another: what, and both services."""
    before = {what: each for each in recorded.values() for what in _claims(each.type, each.inputs, types)}
    for resource in desired:
        for what in _claims(resource.type, resource.inputs, types):
            old = before.get(what)
            if old is not None and old.urn != resource.urn and old.service != resource.service:
                yield what, (old.service, resource.service)


def _claims(type_: str, inputs: Mapping[str, Json], types: Mapping[str, ResourceType]) -> Sequence[str]:
    known = types.get(type_)
    return known.claims(inputs) if isinstance(known, Exclusive) else ()


def _said(
    old: str,
    new: str,
    plan: Plan,
    desired: Sequence[Resource],
    recorded: Mapping[str, Recorded],
    moved: Mapping[str, tuple[str, str]],
) -> str:
    parts = [f"{new} is started and {old} removed"]
    parts += [f"{new} takes over {what}" for what, pair in moved.items() if pair == (old, new)]
    wanted = {each.urn for each in desired}
    deleted = {step.urn for step in plan.steps if step.action is Action.DELETE}
    for record in _data_of(old, recorded):
        title = record.title or record.urn
        if record.urn in wanted:
            parts.append(f"its data ({title}) goes along")
        elif record.urn in deleted:
            parts.append(f"its data ({title}) is deleted")
        else:
            parts.append(f"its data ({title}) is kept but does not go along: {new} starts empty")
    return f"{old} was renamed to {new}: {', '.join(parts)}"


def _data_of(service: str, recorded: Mapping[str, Recorded]) -> list[Recorded]:
    """The protected ones among what a service uses."""
    used = {urn for each in recorded.values() if each.main and each.service == service for urn in each.dependencies}
    return [each for each in recorded.values() if each.protect and (each.urn in used or each.service == service)]


def _with_cause(step: Step, pairs: Mapping[str, str]) -> Step:
    if step.action is Action.CREATE and step.service in pairs.values():
        old = next(name for name, new in pairs.items() if new == step.service)
        return msgspec.structs.replace(step, cause=f"{old} was renamed to {step.service}")
    if step.action is Action.DELETE and step.service in pairs and not step.protect:
        return msgspec.structs.replace(step, cause=f"was renamed to {pairs[step.service]}")
    return step

"""The order of things: dependencies first when making, dependents first when unmaking. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from defang_nb.errors import DefangError
from defang_nb.model.resource import Recorded, Resource
from defang_nb.provision.differences import name_of
from defang_nb.provision.state import base_urn


def creation_order(desired: Sequence[Resource]) -> list[Resource]:
    """Dependencies before dependents, else as they stand.

    Raises `DefangError` for a cycle, which it names, and for a dependency that is not among `desired`.
    """
    place = {resource.urn: index for index, resource in enumerate(desired)}
    waits: dict[str, set[str]] = {}
    dependents: dict[str, list[str]] = {}
    for resource in desired:
        needed = resource.dependencies
        waits[resource.urn] = set(needed)
        for urn in needed:
            if urn not in place:
                raise DefangError(f"{name_of(resource.urn)} depends on {name_of(urn)}, which is not in the project")
            dependents.setdefault(urn, []).append(resource.urn)
    free = [place[urn] for urn, others in waits.items() if not others]
    heapq.heapify(free)
    ordered: list[Resource] = []
    while free:
        resource = desired[heapq.heappop(free)]
        ordered.append(resource)
        for urn in dependents.get(resource.urn, ()):
            waits[urn].discard(resource.urn)
            if not waits[urn]:
                heapq.heappush(free, place[urn])
    if len(ordered) < len(place):
        raise DefangError(f"a cycle of dependencies: {' → '.join(_cycle(waits))}", hint="take one of them away")
    return ordered


def _cycle(waits: Mapping[str, set[str]]) -> list[str]:
    """One cycle among what still waits, from a name back to the same name."""
    path = [next(urn for urn, needed in waits.items() if needed)]
    while True:
        following = min(waits[path[-1]])
        if following in path:
            return [name_of(urn) for urn in [*path[path.index(following) :], following]]
        path.append(following)


def users(recorded: Mapping[str, Recorded]) -> Mapping[str, list[str]]:
    """urn → the recorded urns that use it, as they were made."""
    found: dict[str, list[str]] = {}
    for urn, each in recorded.items():
        for used in each.dependencies:
            found.setdefault(used, []).append(urn)
    return found


def deletion_order(doomed: Sequence[str], recorded: Mapping[str, Recorded]) -> list[str]:
    """Users before what they use, else the youngest first. What was recorded at different times may form a cycle; it is cut."""
    using = users(recorded)
    wanted = set(doomed)
    ordered: dict[str, None] = {}
    begun: set[str] = set()

    def visit(urn: str) -> None:
        if urn in begun:
            return
        begun.add(urn)
        for user in using.get(base_urn(urn), ()):
            if user in wanted:
                visit(user)
        ordered[urn] = None

    for urn in reversed(doomed):
        visit(urn)
    return list(ordered)

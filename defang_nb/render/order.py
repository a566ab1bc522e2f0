"""Orders that a view is read in: services by dependency, steps by time, and the chain of steps that everything waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from defang_nb.model.plan import Plan, Step
from defang_nb.model.view import DeploymentView, ServiceView, StepView


def layers(services: Mapping[str, ServiceView]) -> list[list[str]]:
    """Services by depth: layer 0 is what nothing depends on, each further one is needed by an earlier one.

    Names within a layer keep the project's order. A cycle (which a loaded project never has) is cut, not followed.
    """
    depth: dict[str, int] = {}

    def place(name: str, level: int, path: frozenset[str]) -> None:
        if name in path or name not in services or depth.get(name, -1) >= level:
            return
        depth[name] = level
        for needed in services[name].depends_on:
            place(needed, level + 1, path | {name})

    for name in services:
        place(name, 0, frozenset())
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in services:
        rows[depth[name]].append(name)
    return rows


def direct_needs(name: str, services: Mapping[str, ServiceView]) -> list[str]:
    """What `name` depends on, without what those depend on anyway: the lines that a picture needs."""
    needed = [each for each in services[name].depends_on if each in services]
    farther: set[str] = set()
    ahead = [each for start in needed for each in services[start].depends_on if each in services]
    while ahead:
        each = ahead.pop()
        if each not in farther:
            farther.add(each)
            ahead += [further for further in services[each].depends_on if further in services]
    return [each for each in needed if each not in farther]


def in_dependency_order(services: Mapping[str, ServiceView]) -> list[ServiceView]:
    """What a reader asks for first (the front) stands first, what it stands on follows."""
    return [services[name] for layer in layers(services) for name in layer]


def timeline(view: DeploymentView) -> list[StepView]:
    """The steps that began, by their beginning."""
    return sorted(view.steps.values(), key=lambda step: (step.started, step.finished or float("inf")))


def not_begun(view: DeploymentView) -> list[Step]:
    """The plan's changing steps that have not begun yet."""
    return [step for step in view.plan.mutations if step.urn not in view.steps] if view.plan else []


def waits_for(step: Step, view: DeploymentView) -> list[str]:
    """The urns that `step` still waits for."""
    planned = {each.urn for each in view.plan.mutations} if view.plan else set()
    over = {urn for urn, begun in view.steps.items() if begun.finished is not None}
    return [urn for urn in step.after if urn in planned and urn not in over]


def critical(view: DeploymentView) -> frozenset[str]:
    """The chain of steps that the end waited (or waits) for: from the step that ends last, back through what it needed.

    Empty when nothing depends on anything, since an outline around a single bar tells nothing. While steps run it is of one of
    those: nothing waits for what is over.
    """
    if view.plan is None or not view.steps:
        return frozenset()
    after = _needs(view.plan)

    def end(urn: str) -> float:
        finished = view.steps[urn].finished
        return float("inf") if finished is None else finished

    def back(start: str) -> list[str]:
        chain: list[str] = []
        urn: str | None = start
        while urn is not None and urn not in chain:
            chain.append(urn)
            urn = max((each for each in after.get(urn, ()) if each in view.steps), key=end, default=None)
        return chain

    running = [] if view.done else [urn for urn, step in view.steps.items() if step.finished is None]
    if len(running) == 1 and any(after.values()):
        return frozenset(back(running[0]))
    latest_first = sorted(running or view.steps, key=lambda urn: (-end(urn), view.steps[urn].started))
    return next((frozenset(chain) for chain in map(back, latest_first) if len(chain) > 1), frozenset())


def _needs(plan: Plan) -> Mapping[str, Sequence[str]]:
    return {step.urn: step.after for step in plan.steps}

"""Random projects: a graph of resources, and edits of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st

from defang_nb.model.resource import Need, Resource, urn
from defang_nb.model.value import ref
from tests.provision.fakecloud import PROJECT, a

TYPES = ("net", "disk", "service", "quick", "image", "legacy")
USES = ("id", "address", "zone", "created", "ready")


class Spec(msgspec.Struct, frozen=True):
    """One resource. `uses`: (what, how) of resources that were there before it."""

    type: str
    zone: str = "a"
    size: int = 0
    uses: tuple[tuple[str, str], ...] = ()


Draw = Callable[[st.SearchStrategy[Any]], Any]
Project = Mapping[str, Spec]
"""In the order of their making: each uses only what is before it."""


def resources(project: Project) -> list[Resource]:
    return [_resource(name, spec, project) for name, spec in project.items()]


def _resource(name: str, spec: Spec, project: Project) -> Resource:
    inputs: dict[str, Any] = {"zone": spec.zone, "size": spec.size}
    needs: dict[str, Need] = {}
    for other, how in spec.uses:
        used = urn(PROJECT, project[other].type, other)
        match how:
            case "created" | "ready":
                needs[used] = Need(how)
            case "zone":
                inputs["zone"] = ref(used, "id")
            case _:
                inputs[f"{how}_of_{other}"] = ref(used, how)
    return a(spec.type, name, needs=needs, **inputs)


@st.composite
def specs(draw: st.DrawFn, before: tuple[str, ...]) -> Spec:
    type_ = draw(st.sampled_from(TYPES))
    return Spec(type=type_, zone=draw(st.sampled_from("ab")), size=draw(st.integers(0, 2)), uses=draw(uses(before)))


def uses(before: tuple[str, ...]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    if not before:
        return st.just(())
    one = st.tuples(st.sampled_from(before), st.sampled_from(USES))
    return st.lists(one, max_size=3, unique_by=lambda use: use[0]).map(tuple)


@st.composite
def projects(draw: st.DrawFn) -> dict[str, Spec]:
    project: dict[str, Spec] = {}
    for number in range(draw(st.sampled_from((4, 7, 6, 5, 3, 2, 1)))):
        project[f"r{number}"] = draw(specs(tuple(project)))
    return project


EDITS = ("add", "remove", "rename", "size", "zone", "uses", "type")


def edited(draw: Draw, project: Project, what: str, new: str) -> dict[str, Spec]:
    """`project` with one edit; `new` is a name that it does not have yet."""
    if what == "add" or not project:
        return {**project, new: draw(specs(tuple(project)))}
    name = draw(st.sampled_from(sorted(project)))
    spec = project[name]
    match what:
        case "remove":
            return _without(project, name)
        case "rename":
            return _renamed(project, name, new)
        case "size":
            spec = msgspec.structs.replace(spec, size=spec.size + 1)
        case "zone":
            spec = msgspec.structs.replace(spec, zone=draw(st.sampled_from("abc")))
        case "uses":
            spec = msgspec.structs.replace(spec, uses=draw(uses(tuple(project)[: list(project).index(name)])))
        case "type":
            spec = msgspec.structs.replace(spec, type=draw(st.sampled_from(TYPES)))
    return {**project, name: spec}


def _without(project: Project, name: str) -> dict[str, Spec]:
    return {
        each: msgspec.structs.replace(spec, uses=tuple(use for use in spec.uses if use[0] != name))
        for each, spec in project.items()
        if each != name
    }


def _renamed(project: Project, name: str, new: str) -> dict[str, Spec]:
    def use(used: str, how: str) -> tuple[str, str]:
        return (new if used == name else used), how

    return {
        new if each == name else each: msgspec.structs.replace(spec, uses=tuple(use(*one) for one in spec.uses))
        for each, spec in project.items()
    }

"""What is told of services with other names, and of ports that go from one to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import Need, Options, Recorded, Resource, urn
from defang_nb.provision.moves import explain, likeness, renamed
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import ResourceType
from tests.provision.fakecloud import PROJECT, Cloud, FakeType, Line

APP = {"image": "shop:1", "command": "serve", "environment": {"MODE": "live"}}


class Ports(FakeType):
    def claims(self, inputs: Mapping[str, Any]) -> Sequence[str]:
        return [f"port {inputs['port']}"]


def service(name: str, *, data: str = "", **inputs: Any) -> Resource:
    options = Options(depends_on={urn(PROJECT, "disk", data): Need.CREATED} if data else {})
    return Resource(
        urn=urn(PROJECT, "service", name), type="service", inputs=inputs, options=options, service=name, main=True, title=name
    )


def disk(name: str) -> Resource:
    return Resource(
        urn=urn(PROJECT, "disk", name), type="disk", inputs={}, options=Options(protect=True), title=f"volume {name}"
    )


def port(name: str, number: int) -> Resource:
    return Resource(urn=urn(PROJECT, "port", name), type="port", inputs={"port": number}, service=name, title=f"port of {name}")


def record(resource: Resource) -> Recorded:
    return Recorded(
        urn=resource.urn, type=resource.type, id=resource.urn, inputs=resource.inputs, input_hash=resource.input_hash,
        dependencies=resource.dependencies, protect=resource.options.protect, ready=True, service=resource.service,
        main=resource.main, title=resource.title,
    )  # fmt: skip


def told(before: Sequence[Resource], after: Sequence[Resource], keep: Sequence[str] = ()) -> tuple[dict[str, str], list[str]]:
    """The causes of what changes, by urn's end, and what is told beside; `keep` are urns whose deletion is not agreed to."""
    cloud = Cloud()
    types: dict[str, ResourceType] = {**cloud.types(), "port": Ports(Line(cloud), "port")}
    recorded = {each.urn: record(each) for each in before}
    made = plan(after, recorded, types, {})
    made = type(made)(steps=tuple(step for step in made.steps if step.urn not in keep))
    explained = explain(made, after, recorded, types)
    return {f"{step.action} {step.title}": step.cause for step in explained.plan.mutations}, list(explained.words)


def test_a_renamed_service_is_told_with_its_port_and_its_data() -> None:
    shared = disk("things")
    causes, words = told(
        [service("web", data="things", **APP), port("web", 80), shared],
        [service("site", data="things", **APP), port("site", 80), shared],
    )
    assert words == [
        "web was renamed to site: site is started and web removed, site takes over port 80, its data (volume things) goes along"
    ]
    assert causes["create site"] == "web was renamed to site"
    assert causes["delete web"] == "was renamed to site"


def test_data_that_is_named_after_its_service_does_not_go_along() -> None:
    before, after = [service("db", data="db", **APP), disk("db")], [service("store", data="store", **APP), disk("store")]
    kept = urn(PROJECT, "disk", "db")
    assert told(before, after, [kept])[1] == [
        "db was renamed to store: store is started and db removed, "
        "its data (volume db) is kept but does not go along: store starts empty"
    ]
    assert "its data (volume db) is deleted" in told(before, after)[1][0]


def test_ports_that_move_and_swap_are_told() -> None:
    web, api = service("web", **APP), service("api", **APP)
    causes, words = told([web, api, port("web", 80), port("api", 81)], [web, api, port("web", 81), port("api", 80)])
    assert words == ["port 81 moves from api to web, port 80 moves from web to api"]
    assert causes == {"update port of web": "port changed", "update port of api": "port changed"}
    assert told([web, api, port("web", 80)], [web, api, port("web", 81), port("api", 80)])[1] == [
        "port 80 moves from web to api"
    ]


def test_what_only_came_or_went_is_no_rename() -> None:
    web = service("web", **APP)
    assert renamed([web, service("site", **APP)], {web.urn: record(web)}) == {}
    assert renamed([], {web.urn: record(web)}) == {}
    assert renamed([service("site", image="other:7", command="work", environment={})], {web.urn: record(web)}) == {}
    assert told([web], [web]) == ({}, [])


def test_the_most_alike_is_the_renamed_one() -> None:
    old = [service("a", **APP), service("b", **{**APP, "image": "shop:2"})]
    new = [service("y", **{**APP, "image": "shop:2"}), service("x", **APP)]
    assert renamed(new, {each.urn: record(each) for each in old}) == {"a": "x", "b": "y"}


def test_likeness_looks_through_names_and_past_what_is_known_later() -> None:
    before = record(service("web", image="shop/web:1", ports={"80": 8080}, user=""))
    after = service("site", image="shop/site:1", ports={"$ref": "app/port/site#ports"}, user="")
    assert likeness(before, after) == 1.0
    assert likeness(before, service("site", image="shop/site:2")) == 0.0

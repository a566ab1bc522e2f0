"""The planner's values: which steps, in which order, for which reason, with which differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.plan import Action, Change, Plan, Step
from defang_nb.model.resource import Need, Recorded, Resource
from defang_nb.model.value import config, join, ref
from defang_nb.provision.differences import differences
from defang_nb.provision.planner import plan
from defang_nb.provision.ports import Made
from defang_nb.provision.recovery import record_of
from tests.provision.fakecloud import Cloud, a

TYPES = Cloud().types()
NET = a("net", "default", zone="a")


def made(resource: Resource, *, ready: bool = True, **outputs: Any) -> Recorded:
    return record_of(resource, Made(id=f"id of {resource.title}", outputs=outputs), deployment="d1", ready=ready)


def planned(
    desired: Sequence[Resource],
    *recorded: Recorded,
    observed: Mapping[str, Any] | None = None,
    force: Sequence[str] = (),
) -> Plan:
    return plan(desired, {each.urn: each for each in recorded}, TYPES, observed or {}, force=force)


def brief(it: Plan) -> list[tuple[str, str, str]]:
    return [(step.urn.rsplit("/")[-1], step.action.value, step.cause) for step in it.steps]


def only(it: Plan) -> Step:
    (step,) = it.steps
    return step


def test_what_is_new_is_created_dependencies_first_and_else_as_it_stands() -> None:
    web = a("service", "web", needs={"app/service/db": Need.READY})
    other, db = a("service", "aaa"), a("service", "db", net=ref(NET.urn, "id"))
    it = planned([web, other, db, NET])
    assert brief(it) == [
        ("aaa", "create", "new in the project"),
        ("default", "create", "new in the project"),
        ("db", "create", "new in the project"),
        ("web", "create", "new in the project"),
    ]
    assert it.steps[3].after == (db.urn,)
    assert it.steps[2].changes == (Change(path="net", after="default.id (known later)"),)


def test_what_is_the_same_is_kept() -> None:
    web = a("service", "web", net=ref(NET.urn, "id"), env={"A": "1"})
    resolved = msgspec.structs.replace(web, inputs={"net": "n1", "env": {"A": "1"}})
    it = planned([web, NET], made(resolved), made(NET, id="n1"))
    assert brief(it) == [("default", "keep", "unchanged"), ("web", "keep", "unchanged")]
    assert it.mutations == ()


@pytest.mark.parametrize(
    ("before", "after", "changes", "cause"),
    [
        ({"e": {"A": "1"}}, {"e": {"A": "2"}}, [Change(path="e.A", before="1", after="2")], "e.A changed"),
        ({"p": [80]}, {"p": [80, 81]}, [Change(path="p[1]", after="81")], "p[1] changed"),
        (
            {"a": 1, "b": 1},
            {"a": 2},
            [Change(path="a", before="1", after="2"), Change(path="b", before="1")],
            "a and b changed",
        ),
        ({"a": 1}, {"a": True}, [Change(path="a", before="1", after="true")], "a changed"),
        ({"a": ""}, {}, [Change(path="a")], "a changed"),
        ({"a": "x" * 99}, {"a": ["y\nz"]}, [Change(path="a", before="x" * 79 + "…", after="[y⏎z]")], "a changed"),
        (
            {"image": "web@sha256:" + "0" * 64},
            {"image": "web@sha256:" + "1" * 64},
            [Change(path="image", before="web@sha256:000000000000…", after="web@sha256:111111111111…")],
            "image changed",
        ),
        (
            {"url": "localhost"},
            {"url": join(["pg://", config("PASSWORD"), "@db"])},
            [Change(path="url", before="localhost", after="pg://config(PASSWORD)@db")],
            "url changed",
        ),
        (
            dict.fromkeys("abcde", 1),
            dict.fromkeys("abcde", 2),
            [Change(path=c, before="1", after="2") for c in "abcde"],
            "a, b and 3 more changed",
        ),
    ],
)
def test_differences_are_told_by_property(before: Any, after: Any, changes: list[Change], cause: str) -> None:
    step = only(planned([a("service", "web", **after)], made(a("service", "web", **before))))
    assert (step.action, step.cause) == (Action.UPDATE, cause)
    assert list(step.changes) == changes


def test_a_property_that_makes_it_another_resource_replaces_it() -> None:
    step = only(planned([a("net", "default", zone="b", label="new")], made(a("net", "default", zone="a", label="old"))))
    assert (step.action, step.cause) == (Action.REPLACE, "zone changed, which needs a new one")
    assert [(each.path, each.replaces) for each in step.changes] == [("label", False), ("zone", True)]


def test_what_is_gone_is_made_anew() -> None:
    web = a("service", "web", image="w")
    step = only(planned([web], made(web), observed={web.urn: None}))
    assert (step.action, step.cause) == (Action.CREATE, "is gone")
    assert step.changes == (Change(path="image", after="w"),)


def test_what_was_seen_alive_or_not_looked_at_is_kept() -> None:
    web = a("service", "web")
    assert only(planned([web], made(web), observed={web.urn: {}})).action is Action.KEEP
    assert only(planned([web], made(web))).action is Action.KEEP


def test_what_never_became_ready_is_repaired() -> None:
    web = a("service", "web")
    step = only(planned([web], made(web, ready=False)))
    assert (step.action, step.cause, step.changes) == (Action.UPDATE, "was never ready", ())


def test_what_was_asked_for_is_updated() -> None:
    web = a("service", "web")
    step = only(planned([web], made(web), force=[web.urn]))
    assert (step.action, step.cause) == (Action.UPDATE, "asked for")


def test_who_refers_to_what_changes_may_change() -> None:
    net = a("net", "default", zone="a", label="new")
    web = a("service", "web", net=ref(NET.urn, "id"), url=join(["http://", ref(NET.urn, "address")]))
    before = msgspec.structs.replace(web, inputs={"net": "n1", "url": "http://x"})
    it = planned([net, web], made(NET, id="n1", address="x"), made(before))
    assert brief(it) == [("default", "update", "label changed"), ("web", "update", "default may change")]
    assert it.steps[1].changes == (
        Change(path="net", before="n1", after="default.id (known later)"),
        Change(path="url", before="http://x", after="http://default.address (known later)"),
    )


def test_a_reference_that_was_not_there_before_is_a_certain_change() -> None:
    net = a("net", "default", zone="b")
    it = planned([net, a("service", "web", net=ref(NET.urn, "id"))], made(NET, id="n1"), made(a("service", "web")))
    assert brief(it)[1] == ("web", "update", "net changed")


def test_what_may_change_where_that_needs_a_new_one_is_planned_so() -> None:
    net = a("net", "default", zone="b")
    disk = a("disk", "data", protect=True, zone=ref(NET.urn, "id"))
    before = msgspec.structs.replace(disk, inputs={"zone": "n1"})
    it = planned([net, disk], made(NET, id="n1"), made(before))
    assert brief(it)[1] == ("data", "replace", "default may change, which needs a new one")
    assert it.steps[1].protect


def test_taking_all_down_goes_users_first() -> None:
    web = a("service", "web", needs={"app/service/db": Need.READY})
    db = a("service", "db", needs={NET.urn: Need.CREATED})
    it = planned([], made(NET), made(db), made(web))
    assert brief(it) == [(name, "delete", "no longer in the project") for name in ("web", "db", "default")]
    assert [step.after for step in it.steps] == [(), (web.urn,), (db.urn,)]


def test_what_goes_waits_for_those_that_used_it_and_stay() -> None:
    before, after = a("service", "web", needs={"app/service/db": Need.READY}), a("service", "web", env="new")
    it = planned([after], made(a("service", "db")), made(before))
    assert brief(it) == [("web", "update", "env changed"), ("db", "delete", "no longer in the project")]
    assert it.steps[1].after == (before.urn,)


def test_records_of_different_times_that_form_a_cycle_still_go() -> None:
    one, two = (
        a("service", "one", needs={"app/service/two": Need.READY}),
        a("service", "two", needs={"app/service/one": Need.READY}),
    )
    it = planned([], made(one), made(two))
    assert sorted(step.urn for step in it.steps) == [one.urn, two.urn]
    assert sorted(len(step.after) for step in it.steps) == [0, 1]


def test_a_replaced_one_that_was_left_behind_goes_after_its_users() -> None:
    net = a("net", "default", zone="b")
    left = msgspec.structs.replace(made(NET), urn=f"{NET.urn}~n1")
    web = a("service", "web", net=ref(NET.urn, "id"))
    before = msgspec.structs.replace(
        web, inputs={"net": "n1"}, options=msgspec.structs.replace(web.options, depends_on=web.dependencies)
    )
    it = planned([net, web], made(net, id="n2"), made(before), left)
    assert brief(it) == [
        ("default", "keep", "unchanged"),
        ("web", "update", "net changed"),
        ("default~n1", "delete", "was replaced"),
    ]
    assert it.steps[2].after == (web.urn,)


@pytest.mark.parametrize("where", ["desired", "recorded"])
def test_what_is_protected_says_so_when_it_would_be_lost(where: str) -> None:
    before = a("disk", "data", zone="a", protect=where == "recorded")
    after = a("disk", "data", zone="b", protect=where == "desired")
    assert only(planned([after], made(before))).protect
    assert only(planned([], made(before))).protect is (where == "recorded")


def test_a_protected_update_needs_no_consent() -> None:
    before, after = (a("disk", "data", protect=True, size=size) for size in (1, 2))
    assert not only(planned([after], made(before))).protect


def test_a_cycle_is_named() -> None:
    one = a("service", "one", needs={"app/service/two": Need.READY})
    two = a("service", "two", x=ref("app/service/three", "id"))
    three = a("service", "three", needs={"app/service/one": Need.CREATED})
    with pytest.raises(DefangError, match=r"one → two → three → one"):
        planned([a("service", "x"), one, two, three])


def test_a_dependency_that_nobody_wants_is_named() -> None:
    with pytest.raises(DefangError, match=r"web depends on db, which is not in the project"):
        planned([a("service", "web", needs={"app/service/db": Need.READY})])


def test_a_type_that_the_provider_does_not_know_is_named() -> None:
    with pytest.raises(ProviderError, match="'moon'"):
        planned([a("moon", "base")])
    with pytest.raises(ProviderError, match="'moon'"):
        planned([], made(a("moon", "base")))


def test_a_configuration_value_that_changed_is_named_and_its_digest_is_not_shown() -> None:
    found = differences({"config_digests": {"TOKEN": "aa"}}, {"config_digests": {"TOKEN": "bb", "KEY": "cc"}})
    assert [(each.path, each.before, each.after) for each in found] == [("config(KEY)", "", ""), ("config(TOKEN)", "", "")]
    assert {each.top for each in found} == {"config_digests"}

"""All stacks in one picture."""

from __future__ import annotations

import msgspec

from defang_nb.model.events import DeploymentSummary, Kind, Outcome
from defang_nb.model.overview import Overview, ProjectOverview, StackOverview, Unfinished
from defang_nb.model.status import ServiceStatus, Usage
from defang_nb.model.view import Endpoint
from defang_nb.render.overview import CHARTED, overview_html, overview_tables, overview_text, remember
from defang_nb.render.usage import History
from tests.render import story
from tests.render.test_html import Page


def deployed(name: str, **known: object) -> DeploymentSummary:
    made = {"id": name, "kind": Kind.UP, "project": "shop", "stack": "local", "started": story.START, "by": "ada", **known}
    return DeploymentSummary(**made)  # type: ignore[arg-type]


WEB = ServiceStatus(
    project="shop", service="web", state="running", healthy=True, running=2, wanted=2, started=story.START,
    endpoints=(Endpoint(url="http://localhost:1", port=80),),
)  # fmt: skip
PROJECT = ProjectOverview(
    name="shop",
    services=(WEB, ServiceStatus(project="shop", service="<job>", state="exited", exit_code=1)),
    usage=tuple(Usage(service="web", time=0, cpu=0.25, memory=2**20, replica=number) for number in (1, 2)),
    config=("API_KEY",),
)
OVERVIEW = Overview(
    time=story.START + 60,
    stacks=(
        StackOverview(
            name="local",
            provider="local",
            unfinished=(
                Unfinished(deployment=deployed("a1"), alive=True),
                Unfinished(deployment=deployed("b2", kind=Kind.DOWN), alive=False),
            ),
            projects=(PROJECT,),
            history=(deployed("c3", outcome=Outcome.FAILED, finished=story.START + 5, message="why"),),
        ),
        StackOverview(name="prod", provider="aws", trouble="no credentials"),
    ),
)


def test_everything_that_is_known_is_told_in_both_forms() -> None:
    for said in (overview_text(OVERVIEW), Page(overview_html(OVERVIEW)).text):
        for each in (
            "1 of 2 services running",
            "◐ goes on", "■ cut off: its cd is gone", "down goes on from there", "cancel a1 -s local", "50 %",
            "2.0 MiB", "API_KEY", "✘ failed", "5.0 s", "why", "▲ prod", "no credentials", "prod (aws)", "<job>",
        ):  # fmt: skip
            assert each in said, each


def test_a_price_is_shown_only_where_it_is_known() -> None:
    assert "a month" not in overview_text(OVERVIEW).lower()
    assert "$" not in overview_html(OVERVIEW)
    priced = msgspec.structs.replace(PROJECT, monthly=12.5)
    stack = msgspec.structs.replace(OVERVIEW.stacks[0], projects=(priced,))
    said = overview_text(msgspec.structs.replace(OVERVIEW, stacks=(stack,)))
    assert "about $12.50 a month" in said
    assert "shop → local · 1 of 2 services running · about $12.50 a month · ✘ up failed, 2026-01-01 00:00 UTC" in said


def test_without_anything_it_says_so() -> None:
    empty = Overview(time=0, stacks=(StackOverview(name="local", provider="local"),))
    assert overview_text(empty) == "local · 0 projects · 0 of 0 services running\n\nProjects: nothing is deployed yet"


def test_a_project_that_is_down_is_told_apart_from_what_runs() -> None:
    down = ProjectOverview(name="old", config=("TOKEN",))
    stack = msgspec.structs.replace(OVERVIEW.stacks[0], projects=(PROJECT, down), unfinished=(), history=())
    titles = [each.title for each in overview_tables(Overview(time=0, stacks=(stack,)))]
    assert titles == ["shop → local", "Projects of which nothing runs"]


def test_what_was_used_in_the_last_looks_is_drawn_beside_the_numbers() -> None:
    past: dict[tuple[str, str], History] = {}
    assert "<svg" not in overview_html(OVERVIEW, past=past)
    for _ in range(5):
        remember(past, OVERVIEW)
    drawn = Page(overview_html(OVERVIEW, past=past))
    assert [each["class"] for each in drawn.named("svg")] == ["spark", "spark"], "CPU and memory of the one that runs"
    assert {each["aria-hidden"] for each in drawn.named("svg")} == {"true"}, "the number beside it says it"
    assert "50 %" in drawn.text, "replicas count together"
    crowd = msgspec.structs.replace(PROJECT, services=(WEB,) * (CHARTED + 1))
    stack = msgspec.structs.replace(OVERVIEW.stacks[0], projects=(crowd,))
    assert "<svg" not in overview_html(msgspec.structs.replace(OVERVIEW, stacks=(stack,)), past=past)

"""Plain text, progress lines and small tables."""

from __future__ import annotations

import pytest

from defang_nb.model.events import DeploymentSummary, Event, Kind, Outcome
from defang_nb.model.project import Build, Managed, ManagedKind, Port, PortMode, Project, Service
from defang_nb.model.status import ServiceStatus
from defang_nb.model.value import ConfigRef
from defang_nb.model.view import DeploymentView, Endpoint, reduce
from defang_nb.render.listings import config_table, deployments_table, project_table, status_table
from defang_nb.render.progress import progress_line
from defang_nb.render.tables import columns, table_html, table_text
from defang_nb.render.text import render_text
from defang_nb.render.words import clean, duration
from tests.render import story


def test_text_says_what_html_says() -> None:
    text = render_text(story.failed(), now=0)
    assert text.startswith(f"✘ shop → local · failed · {story.ID} · 22 s\n")
    assert "compose.yaml:9:5: error: api ended with exit code 1" in text
    assert "hint: Mend it and run up again" in text
    assert "ModuleNotFoundError" in text
    assert "environment.CACHE_URL added: redis://cache:6379" in text


def test_a_finished_text_does_not_change_with_time() -> None:
    assert render_text(story.finished(), now=0) == render_text(story.finished(), now=story.START + 999)


def test_progress_is_a_line_for_each_change() -> None:
    view = DeploymentView(id=story.ID)
    lines = []
    for event in story.told(story.OPENING, story.BAD_END):
        view = reduce(view, event)
        lines.append(progress_line(view, event))
    said = [line for line in lines if line]
    assert said[0] == f"shop → local: up {story.ID}"
    assert "worker: ◐ building · step 6/9" in said
    assert "worker build: [6/9] RUN pip install -r requirements.txt" in said
    assert said[-1].startswith(f"✘ failed · {story.ID} · 22 s\n  api never became healthy\n  hint: ")
    assert not any("Downloading" in line for line in said)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1:00"), (102, "1:42"), (3723, "1:02:03"), (-1, "0.0 s")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_lines_lose_terminal_control_but_keep_what_was_left_standing() -> None:
    assert clean("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x07") == "red link"
    assert clean("10%\r55%\r100% done\r") == "100% done"
    assert clean("tab\there") == "tab\there"


def test_columns_are_aligned_also_with_wide_characters() -> None:
    assert columns([("名前", "x", ""), ("ab", "y", "")]) == ["名前  x", "ab    y"]


def test_status_table_says_state_health_and_address() -> None:
    statuses = [
        ServiceStatus(project="shop", service="web", state="running", healthy=False, running=1, wanted=2, started=story.START,
                      endpoints=(Endpoint(url="http://localhost:1", port=80),)),
        ServiceStatus(project="shop", service="job", state="exited", exit_code=0),
        ServiceStatus(project="shop", service="odd", state="<new>", running=1),
    ]  # fmt: skip
    table = status_table(statuses, now=story.START + 102)
    text = table_text(table)
    assert "▲ running · not healthy" in text
    assert "1/2" in text
    assert "1:42" in text
    assert "exited · exit code 0" in text
    assert 'href="http://localhost:1"' in table_html(table)
    assert "&lt;new&gt;" in table_html(table)
    assert "Project" not in text


def test_services_of_several_projects_are_told_apart() -> None:
    statuses = [ServiceStatus(project=each, service="web", state="running") for each in ("shop", "blog")]
    assert [line.split()[:2] for line in table_text(status_table(statuses, now=0)).splitlines()[1:]] == [
        ["Project", "Service"], ["shop", "web"], ["blog", "web"],
    ]  # fmt: skip


def test_an_empty_table_says_so() -> None:
    assert table_text(status_table([], now=0)) == "Services: nothing runs"
    assert "nothing runs" in table_html(status_table([], now=0))


def test_deployments_table_tells_what_runs_from_what_ended() -> None:
    rows = [
        DeploymentSummary(id="a1", kind=Kind.UP, project="shop", stack="local", started=story.START),
        DeploymentSummary(id="b2", kind=Kind.DOWN, project="shop", stack="local", started=story.START, finished=story.START + 5,
                          outcome=Outcome.FAILED, message="why"),
    ]  # fmt: skip
    text = table_text(deployments_table(rows, now=story.START))
    assert "running, or cut off" in text
    assert "✘ failed" in text
    assert "5.0 s" in text
    assert "why" in text


def test_config_table_names_what_is_missing_and_who_needs_it() -> None:
    text = table_text(config_table(["A", "UNUSED"], {"A": ("web",), "B": ("web", "api")}))
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["A", "✔", "set", "web"],
        ["B", "✘", "not", "set", "web,", "api"],
        ["UNUSED", "✔", "set"],
    ]


def test_project_table_shows_what_a_text_comes_to() -> None:
    project = Project(
        name="shop",
        services={
            "web": Service(
                name="web",
                build=Build(context="/tmp/shop/web", dockerfile="prod.Dockerfile"),
                environment={"KEY": (ConfigRef("SECRET"),)},
                ports=(Port(target=80, published=8080), Port(target=9000, mode=PortMode.HOST)),
                replicas=2,
            ),
            "db": Service(name="db", image="postgres:16", managed=Managed(kind=ManagedKind.POSTGRES)),
        },
    )
    text = table_text(project_table(project, config_names=[]))
    assert "shop · 2 services" in text
    assert "build web (prod.Dockerfile) × 2" in text
    assert "8080→80 ingress, 9000 host" in text
    assert "✘ SECRET (not set)" in text
    assert "✘ SECRET is not set, and web needs it" in text
    assert "not set" not in table_text(project_table(project, config_names=["SECRET"]))


def test_every_event_has_a_progress_line_or_none() -> None:
    view = DeploymentView(id=story.ID)
    for event in story.told(story.OPENING, story.GOOD_END):
        assert isinstance(event, Event)
        view = reduce(view, event)
        assert isinstance(progress_line(view, event), str)

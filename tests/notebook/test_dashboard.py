"""The dashboard of all stacks in a notebook, and what can be done once a deployment is over."""

from __future__ import annotations

import pytest

from defang_nb.client.deployment import Deployment
from defang_nb.errors import NotFoundError
from defang_nb.model.overview import Overview
from defang_nb.notebook.again import Start
from defang_nb.notebook.board import ALL, Board
from defang_nb.notebook.dashboard import Dashboard
from defang_nb.notebook.panel import Panel
from defang_nb.notebook.search import LogSearch
from tests.notebook.conftest import Notebook
from tests.notebook.replay import Replay, deployment
from tests.notebook.test_live import within
from tests.notebook.tree import clickable, html
from tests.render import story
from tests.render.test_overview import OVERVIEW


def test_a_dashboard_is_static_where_nothing_can_be_clicked(bare: Notebook) -> None:
    board = Dashboard(look=lambda: OVERVIEW, link=str)
    assert "◐ goes on" in repr(board)
    assert "<script" not in board._repr_html_()
    assert board.overview is OVERVIEW


def test_a_board_offers_what_there_is_and_keeps_what_was_chosen(bare: Notebook) -> None:
    board = Board(str, renew=lambda: None)
    board.paint(OVERVIEW)
    assert [label for label, _ in board._project.options] == ["shop on local"]
    assert [label for label, _ in board._service.options] == [ALL, "web", "<job>"]
    assert [value for _, value in board._running.options] == [("local", "a1")], "one that was cut off can't be attached to"
    board._service.value = "web"
    board.paint(OVERVIEW)
    assert board._service.value == "web"
    assert [row.layout.display for row in board._rows] == [None, None]
    board.paint(Overview(time=0, stacks=()))
    assert board._project.value is None
    assert [row.layout.display for row in board._rows] == [None, "none"], "only what ends deployments is hidden"
    board.close()


def test_a_click_without_a_project_says_so(bare: Notebook) -> None:
    renewed: list[int] = []
    board = Board(str, renew=lambda: renewed.append(1))
    board.paint(Overview(time=0, stacks=()))
    board._buttons[0].click()
    assert within(lambda: bool(renewed))
    assert "there is no project yet · %defang up makes one" in board._said.value
    assert 'aria-live="polite"' in board._said.value
    board.close()


def test_logs_are_searched_also_where_they_are_shown_no_more(bare: Notebook) -> None:
    search = LogSearch(lambda: story.told(story.OPENING))
    search.field.value = "PACKAGE_3-"
    assert within(lambda: "<mark>package_3-</mark>" in search.found.value)
    search.field.value = ""
    assert search.found.value == ""


def over() -> Deployment:
    return deployment(Replay(story.told(story.OPENING, story.GOOD_END))).wait()


def test_deploying_again_is_one_click_shown_in_the_same_place(bare: Notebook) -> None:
    started, shown = over(), []
    panel = Panel(str, cancel=fail, detach=fail, starts=[Start("Redeploy", "tip", lambda: started)], show=shown.append)
    button = clickable(panel.widget, "Redeploy")
    assert button.layout.display == "none"
    panel.over(story.finished())
    assert button.layout.display is None
    assert [clickable(panel.widget, name).layout.display for name in ("Cancel", "Detach")] == ["none", "none"]
    button.click()
    button.click()
    assert within(lambda: shown == [started])
    panel.close()


def test_what_can_not_be_deployed_again_says_why(bare: Notebook) -> None:
    def start() -> Deployment:
        raise NotFoundError("no longer kept", hint="run up")

    panel = Panel(str, cancel=fail, detach=fail, starts=[Start("Rollback", "tip", start)], show=lambda _: fail())
    panel.over(story.finished())
    button = clickable(panel.widget, "Rollback")
    button.click()
    assert within(lambda: "no longer kept · run up" in html(panel.widget))
    assert within(lambda: not button.disabled)
    panel.close()


def fail() -> None:
    pytest.fail("nobody asked for it")


def test_the_time_left_is_told_while_it_goes_on() -> None:
    from defang_nb.model.pace import pace_of

    replay = Replay(story.told(story.OPENING, story.GOOD_END), pause=len(story.told(story.OPENING)) + 1)
    replay.known = pace_of([story.finished()])
    dep = deployment(replay)
    assert within(lambda: dep.left(story.START + 24) is not None)
    replay.go_on.set()
    dep.wait()
    assert dep.left(story.START + 24) is None


def test_what_is_watched_keeps_nobody_from_the_next_click_which_takes_its_place(bare: Notebook) -> None:
    renewed: list[int] = []
    board = Board(str, renew=lambda: renewed.append(1))
    replay = Replay(story.told(story.OPENING, story.GOOD_END), pause=len(story.told(story.OPENING)))
    going = deployment(replay)
    board._begin("Attach", lambda: board._watch(going))
    assert within(lambda: "goes on below" in board._said.value and "provisioning" in html(board._box))
    failed = deployment(Replay(story.told(story.OPENING, story.BAD_END)))
    assert within(lambda: not board._busy.locked())
    board._begin("Up", lambda: board._watch(failed))
    assert within(lambda: "api never became healthy" in html(board._box))
    assert within(lambda: "failed" in board._said.value)
    replay.go_on.set()
    assert going.wait().done
    assert "api never became healthy" in html(board._box), "what was left is painted no more"
    assert renewed
    board.close()

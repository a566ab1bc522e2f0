"""The live view: what stands in the cell while a deployment goes on, and what stays when it is over."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets
import pytest

from defang_nb.errors import CdError
from defang_nb.model.events import BuildLine, Event, LogLine, ServiceChanged, ServiceState
from defang_nb.model.status import LogRecord
from defang_nb.model.view import DeploymentView, reduce
from defang_nb.notebook import live as live_module
from defang_nb.notebook.live import LiveView, bundle
from defang_nb.notebook.logview import LogView
from defang_nb.notebook.painter import Painter
from defang_nb.notebook.panel import Panel
from defang_nb.render.style import STYLE
from tests.notebook.conftest import Notebook
from tests.notebook.replay import Replay, deployment
from tests.notebook.tree import clickable, every, html
from tests.render import story

NOW = story.START + 30


@pytest.fixture
def shown(bare: Notebook) -> list[dict[str, Any]]:
    """Everything that is published, in order, with `slot` (the display's id) and whether it is an update."""
    published: list[dict[str, Any]] = []
    others = set(threading.enumerate())  # views of earlier tests, which may paint their last now

    def publish(
        data: dict[str, Any], metadata: object = None, *, transient: Any = None, update: bool = False, **_: Any
    ) -> None:
        if threading.current_thread() in others - {threading.main_thread()}:
            return
        published.append({"data": data, "slot": (transient or {}).get("display_id"), "update": update})

    bare.shell.display_pub.publish = publish
    return published


def within(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true soon (a generous while, on a busy machine)."""
    tick = threading.Event()
    for _ in range(1000):
        if condition():
            return True
        tick.wait(0.01)
    return False


def test_without_widgets_one_output_is_replaced_until_it_is_final(shown: list[dict[str, Any]]) -> None:
    dep = deployment(Replay(story.told(story.OPENING, story.GOOD_END)))
    assert LiveView(dep, str, widgets=False, clock=lambda: NOW).wait(detach=False)
    assert len({each["slot"] for each in shown}) == 1
    assert [each["update"] for each in shown] == [False] + [True] * (len(shown) - 1)
    assert shown[-1]["data"] == bundle(story.finished(), str, NOW)


def test_with_widgets_the_static_output_ends_final_and_the_widget_is_gone(shown: list[dict[str, Any]]) -> None:
    replay = Replay(story.told(story.OPENING, story.BAD_END), pause=len(story.told(story.OPENING)) + 1)
    dep = deployment(replay)
    before = set(ipywidgets.widgets.widget._instances)
    view = LiveView(dep, str, widgets=True, clock=lambda: NOW)
    panel_slot, static_slot = shown[0]["slot"], shown[1]["slot"]
    assert "application/vnd.jupyter.widget-view+json" in shown[0]["data"]
    assert within(lambda: any(f"%defang attach {story.ID} shows it" in each["data"]["text/plain"] for each in shown))
    replay.go_on.set()
    assert view.wait(detach=False)
    last = {each["slot"]: each["data"] for each in shown}
    assert last[static_slot] == bundle(story.failed(), str, NOW)
    assert len([each for each in shown if each["slot"] == panel_slot]) == 1, "the row of buttons stays where it is"
    left = [each for key, each in ipywidgets.widgets.widget._instances.items() if key not in before]
    buttons = [each.description for each in left if isinstance(each, ipywidgets.Button) and each.layout.display != "none"]
    assert buttons == ["Redeploy", "Rollback"], "this is what can be done now"
    assert not [each for each in left if isinstance(each, ipywidgets.HTML) and "Timeline" in each.value], "and the card is gone"


def test_detaching_ends_the_wait_and_not_the_view(shown: list[dict[str, Any]]) -> None:
    replay = Replay(story.told(story.OPENING, story.GOOD_END), pause=20)
    dep = deployment(replay)
    view = LiveView(dep, str, widgets=False, clock=lambda: NOW)
    assert not view.wait(detach=True)
    view.detached()
    replay.go_on.set()
    assert within(lambda: bool(shown) and shown[-1]["data"] == bundle(story.finished(), str, NOW))


def test_a_panel_cancels_once_and_detaches(bare: Notebook) -> None:
    cancelled: list[int] = []
    detached: list[int] = []
    panel = Panel(str, cancel=lambda: cancelled.append(1), detach=lambda: detached.append(1))
    panel.paint(story.running(), NOW)
    cancel, detach = (clickable(panel.widget, name) for name in ("Cancel", "Detach"))
    cancel.click()
    cancel.click()
    detach.click()
    assert within(lambda: cancelled == [1])
    assert detached == [1]
    assert cancel.disabled
    panel.close()


def test_a_cancel_that_fails_can_be_tried_again(bare: Notebook) -> None:
    def refuse() -> None:
        raise CdError("not now")

    panel = Panel(str, cancel=refuse, detach=lambda: None)
    cancel = clickable(panel.widget, "Cancel")
    cancel.click()
    assert within(lambda: not cancel.disabled)
    assert "not now" in html(panel.widget)
    panel.close()


class Folded:
    """What folds in a panel, as a reader meets it."""

    def __init__(self, panel: Panel) -> None:
        self._box: Any = panel.widget

    @property
    def buttons(self) -> list[ipywidgets.Button]:
        return [each for each in every(self._box) if isinstance(each, ipywidgets.Button) and "title" in each._dom_classes]

    @property
    def titles(self) -> list[str]:
        return [each.description for each in self.buttons]

    @property
    def open(self) -> tuple[str, str]:
        """Title and content of what is open; empty when nothing is."""
        row = [each for each in every(self._box) if each in self.buttons or isinstance(each, ipywidgets.HTML)]
        shown = [
            (title, body) for title, body in itertools.pairwise(row) if title in self.buttons and "shown" in title._dom_classes
        ]
        return (shown[0][0].description, shown[0][1].value) if shown else ("", "")

    def click(self, title: str) -> None:
        clickable(self._box, title).click()


def test_one_fold_is_open_first_the_log_that_is_written_and_stays_as_the_reader_wants_it(bare: Notebook) -> None:
    clock = iter(range(0, 100_000, 60))
    panel = Panel(str, cancel=lambda: None, detach=lambda: None, clock=lambda: next(clock))
    folded = Folded(panel)
    panel.paint(story.view(story.OPENING, until=3), NOW)
    titles = folded.titles
    assert titles[0] == "plan 3 to add, 3 to change, 1 to replace, 1 to delete, 1 unchanged"
    assert folded.open[0].startswith("api, migrate build"), "not the plan"
    for _ in titles:
        panel.paint(story.running(), NOW)
    assert folded.titles != titles
    assert folded.open[0].startswith("api, migrate build"), "though it is over"
    folded.click("worker build")
    assert "lines dropped" in folded.open[1]
    assert folded.open[1].count("Downloading") == 80
    folded.click("plan")
    assert "environment.CACHE_URL added" in folded.open[1]
    folded.click("plan")
    panel.paint(story.running(), NOW)
    assert folded.open == ("", ""), "what was closed is not opened again"
    panel.close()


def test_what_is_folded_and_what_not_is_told_beside_the_icon(bare: Notebook) -> None:
    panel = Panel(str, cancel=lambda: None, detach=lambda: None)
    panel.paint(story.running(), NOW)
    assert [("shown" in each._dom_classes, each.tooltip.partition(":")[0]) for each in Folded(panel).buttons] == [
        (False, "folded"), (False, "folded"), (True, "shown"),
    ]  # fmt: skip
    panel.close()


def test_a_build_that_begins_late_takes_no_other_logs_place(bare: Notebook) -> None:
    panel = Panel(str, cancel=lambda: None, detach=lambda: None, clock=itertools.count(0, 60).__next__)
    crash = (17.0, LogLine(service="api", line="it crashed"))
    panel.paint(story.view((*story.OPENING, crash)), NOW)
    late = (18.0, BuildLine(urn="shop/image/late", line="late build", services=("web",)))
    panel.paint(story.view((*story.OPENING, crash, late)), NOW)
    folded = Folded(panel)
    for title, words in (("api log", "it crashed"), ("web build", "late build")):
        folded.click(title)
        assert folded.open[0].startswith(title)
        assert words in folded.open[1]
    panel.close()


def test_what_the_widget_sends_is_bounded(bare: Notebook) -> None:
    panel = Panel(str, cancel=lambda: None, detach=lambda: None)
    panel.paint(story.running(), NOW)
    sent = html(panel.widget)
    assert sent.count("<style") == 1
    assert len(sent) - len(STYLE) < 20_000
    panel.close()


def test_a_panel_sends_no_more_than_its_pace_allows(bare: Notebook) -> None:
    now = 100.0
    panel = Panel(str, cancel=lambda: None, detach=lambda: None, clock=lambda: now)
    folded = Folded(panel)
    lines = [(17.0 + second, LogLine(service=name, line="more")) for second in range(3) for name in ("api", "worker")]
    panel.paint(story.view((*story.OPENING, *lines[:2])), NOW)
    folded.click("worker log")
    shown, titles = folded.open[1], folded.titles
    later = story.view((*story.OPENING, *lines))
    wait = panel.paint(later, NOW)
    assert 0 < wait < 2
    assert folded.open[1] == shown
    assert sum(new != old for new, old in zip(folded.titles, titles, strict=True)) == 1, "one title at a time"
    while wait := panel.paint(later, NOW):
        now += wait
    assert folded.open[1] != shown
    assert sum(new != old for new, old in zip(folded.titles, titles, strict=True)) == 2
    panel.close()


def test_a_card_sends_ten_messages_a_second_at_the_most_however_much_happens(bare: Notebook) -> None:
    now, seconds = 100.0, 30
    panel = Panel(str, cancel=lambda: None, detach=lambda: None, clock=lambda: now)
    panel.paint(story.running(), NOW)
    sent: list[float] = []
    for each in every(panel.widget):
        each.observe(lambda _: sent.append(now), [name for name in ("value", "description") if each.has_trait(name)])
    states = itertools.cycle((ServiceState.DEPLOYMENT_PENDING, ServiceState.DEPLOYMENT_COMPLETED))
    told = list(story.told(story.OPENING))
    view = story.running()
    for number, at in enumerate(range(0, 100 * seconds, 12), len(told) + 1):
        now = 100 + at / 100
        change = ServiceChanged(service="web", state=next(states), detail=f"step {number}")
        view = reduce(view, Event(deployment=story.ID, sequence=number, time=NOW + at / 100, payload=change))
        panel.paint(view, NOW + at / 100)
    assert 4 * seconds < len(sent) < 10 * seconds
    assert sent[0] == 100, "what comes after a silence is sent at once"
    panel.close()


def test_a_painter_coalesces_and_paints_last_last() -> None:
    painted: list[str] = []
    painter = Painter(lambda: painted.append("now"), lambda: painted.append("last"), pause=0.05)
    painter.start()
    for _ in range(1000):
        painter.poke()
    painter.end()
    painter.join(10)
    assert painted[-1] == "last"
    assert painted.count("last") == 1
    assert len(painted) < 50


def test_an_interrupt_detaches_and_says_how_to_go_on(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(story.told(story.OPENING, story.GOOD_END), pause=20)
    dep = deployment(replay)

    def interrupted(self: LiveView, *, detach: bool) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(live_module.LiveView, "wait", interrupted)
    host = notebook.shell.magics_manager.registry["DefangMagics"]._host()
    host._kernel = True
    notebook.shell.user_ns.update(host=host, dep=dep)
    over = notebook.run("host.watch(dep, detach=False)")
    assert over is False
    assert (
        f"deployment {story.ID} goes on; `%defang attach {story.ID}` shows it, `%defang cancel {story.ID}` ends it"
        in notebook.text
    )
    replay.go_on.set()
    dep.wait()


def test_without_a_kernel_progress_is_lines(notebook: Notebook) -> None:
    dep = deployment(Replay(story.told(story.OPENING, story.GOOD_END)))
    notebook.shell.user_ns.update(host=notebook.shell.magics_manager.registry["DefangMagics"]._host(), dep=dep)
    assert notebook.run("host.watch(dep, detach=False)") is True
    lines = notebook.text.splitlines()
    assert lines[0] == f"shop → local: up {story.ID}"
    assert "web: http://localhost:18080" in lines
    assert any(line.startswith("✔ live") for line in lines)


def test_a_deployment_shows_itself_as_it_is_now(notebook: Notebook) -> None:
    dep = deployment(Replay(story.told(story.OPENING, story.GOOD_END)))
    dep.wait()
    notebook.shell.user_ns["dep"] = dep
    notebook.run("dep")
    assert "✔ shop → local · live" in notebook.plain
    assert "Open web" in notebook.html


def records(count: int) -> list[LogRecord]:
    return [LogRecord(service="web", time=story.START + number, line=f"line {number}") for number in range(count)]


def test_logs_are_a_bounded_ring_in_one_output(shown: list[dict[str, Any]]) -> None:
    LogView(most=10).run(records(25), follow=False)
    (output,) = shown
    assert output["data"]["text/plain"].splitlines()[0] == "… 15 lines dropped"
    assert "web.1 | line 24" in output["data"]["text/html"]
    assert "line 14" not in output["data"]["text/html"]


def test_followed_logs_end_with_an_interrupt(shown: list[dict[str, Any]]) -> None:
    def endless() -> Any:
        yield from records(3)
        raise KeyboardInterrupt

    LogView(most=10).run(endless(), follow=True)
    assert "line 2" in shown[-1]["data"]["text/plain"]
    assert len({each["slot"] for each in shown}) == 1


def test_a_view_that_never_began_is_shown(shown: list[dict[str, Any]]) -> None:
    assert "preparing" in bundle(DeploymentView(id="x", project="shop", stack="local"), str, NOW)["text/plain"]

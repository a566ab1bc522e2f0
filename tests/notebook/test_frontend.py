"""Front ends that can do less: no widgets, old ones, none of what threads change."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any

import pytest

from defang_nb.client import links
from defang_nb.model.status import LogRecord
from defang_nb.notebook import frontend
from defang_nb.notebook.live import LiveView, brief, bundle
from defang_nb.notebook.logview import LogView
from tests.notebook.conftest import Notebook
from tests.notebook.replay import Replay, deployment
from tests.render import story

NOW = story.START + 30


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


@pytest.fixture
def painted(bare: Notebook) -> list[tuple[dict[str, Any], bool]]:
    """What is published, and whether it was on the cell's thread."""
    published: list[tuple[dict[str, Any], bool]] = []

    def publish(data: dict[str, Any], *_: object, **__: object) -> None:
        published.append((data, threading.current_thread() is threading.main_thread()))

    bare.shell.display_pub.publish = publish
    return published


@pytest.mark.usefixtures("colab")
def test_in_colab_the_cell_paints_by_itself_until_the_end(painted: list[tuple[dict[str, Any], bool]]) -> None:
    replay = Replay(story.told(story.OPENING, story.GOOD_END), pause=20)
    view = LiveView(deployment(replay), str, widgets=frontend.widgets(), clock=lambda: NOW)
    threading.Timer(0.2, replay.go_on.set).start()
    assert view.wait(detach=False)
    assert all(on_the_cells_thread for _, on_the_cells_thread in painted)
    assert len(painted) > 2
    assert painted[-1][0] == bundle(story.finished(), str, NOW)
    assert not any("application/vnd.jupyter.widget-view+json" in data for data, _ in painted)


@pytest.mark.usefixtures("colab")
def test_in_colab_what_goes_on_without_the_cell_says_how_to_see_it(painted: list[tuple[dict[str, Any], bool]]) -> None:
    replay = Replay(story.told(story.OPENING, story.GOOD_END), pause=20)
    dep = deployment(replay)
    view = LiveView(dep, str, widgets=False, clock=lambda: NOW)
    assert not view.wait(detach=True)
    view.detached()
    assert painted[-1][0] == brief(dep.view)
    replay.go_on.set()
    dep.wait()
    assert all(on_the_cells_thread for _, on_the_cells_thread in painted)


@pytest.mark.usefixtures("colab")
def test_in_colab_logs_are_painted_by_the_cell(painted: list[tuple[dict[str, Any], bool]]) -> None:
    LogView(most=10).run((LogRecord(service="web", time=0, line=f"line {number}") for number in range(25)), follow=True)
    assert "web.1 | line 24" in painted[-1][0]["text/plain"]
    assert all(on_the_cells_thread for _, on_the_cells_thread in painted)


@pytest.mark.usefixtures("colab")
def test_in_colab_addresses_go_through_its_page(monkeypatch: pytest.MonkeyPatch, notebook: Notebook) -> None:
    asked = []

    def eval_js(script: str, timeout_sec: float) -> str | None:
        asked.append(script)
        return "https://8000-abc.colab.example/" if "(8000)" in script else None

    page = types.ModuleType("google.colab.output")
    page.eval_js = eval_js  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab.output", page)
    monkeypatch.setattr(sys.modules["google.colab"], "output", page, raising=False)
    links._colab_base.cache_clear()
    link = notebook.shell.magics_manager.registry["DefangMagics"].link
    assert link("http://127.0.0.1:8000/docs?a=1") == "https://8000-abc.colab.example/docs?a=1"
    assert link("http://localhost:8001/") == "http://localhost:8001/", "the page did not say"
    assert link("http://other.example:8000/") == "http://other.example:8000/"
    link("http://127.0.0.1:8000/"), link("http://localhost:8001/")
    assert asked == [f"google.colab.kernel.proxyPort({port})" for port in (8000, 8001)]
    links._colab_base.cache_clear()
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(link, "http://127.0.0.1:8000/").result()
    assert elsewhere == "http://127.0.0.1:8000/"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    frontend.missing_widgets.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    frontend.missing_widgets.cache_clear()


def test_widgets_that_are_too_old_or_absent_are_said_and_not_used(notebook: Notebook, installed: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    assert frontend.widgets()
    for version, said in ((lambda name: "7.7.2", "ipywidgets 7.7.2 is too old"), (absent, "need ipywidgets 8")):
        frontend.missing_widgets.cache_clear()
        installed.setattr(metadata, "version", version)
        assert not frontend.widgets()
        host = notebook.shell.magics_manager.registry["DefangMagics"]._host()
        host._kernel = True
        notebook.shell.user_ns.update(host=host, dep=deployment(Replay(story.told(story.OPENING, story.GOOD_END))))
        assert notebook.run("host.watch(dep, detach=False)") is True
        assert notebook.text.count(said) == 1
        assert "✔ shop → local · live" in notebook.plain

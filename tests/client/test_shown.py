"""A deployment as the value of a notebook that knows nothing of the extension."""

from __future__ import annotations

import pytest

from tests.notebook.replay import Replay, deployment
from tests.render import story
from tests.render.test_html import Page


def test_a_deployment_shows_itself_as_html() -> None:
    dep = deployment(Replay(story.told(story.OPENING, story.GOOD_END))).wait()
    assert "Open web" in Page(dep._repr_html_()).text


def test_on_a_hub_its_links_go_through_the_hubs_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    dep = deployment(Replay(story.told(story.OPENING, story.GOOD_END))).wait()
    assert 'href="/user/ada/proxy/18080/"' in dep._repr_html_()

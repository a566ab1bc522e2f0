"""A deployment as the value of a notebook that knows nothing of the extension."""

from __future__ import annotations

from tests.notebook.replay import Replay, deployment
from tests.render import story
from tests.render.test_html import Page


def test_a_deployment_shows_itself_as_html() -> None:
    dep = deployment(Replay(story.told(story.OPENING, story.GOOD_END))).wait()
    assert "Open web" in Page(dep._repr_html_()).text

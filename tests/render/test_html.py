"""The HTML of a deployment: its structure, what it says, that nothing gets through unescaped or from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from defang_nb.model.events import BuildLine, EndpointFound, LogLine, Requested, ServiceInfo
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.model.view import DeploymentView
from defang_nb.render.html import Head, Parts, parts, render_html
from defang_nb.render.order import critical
from defang_nb.render.style import CLASS
from tests.render import story

VOID = {"br", "wbr", "meta", "path", "rect", "img"}


class Page(HTMLParser):
    """Elements with their attributes, the text outside of styles, and whether everything that opened was closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def role(self, role: str) -> dict[str, str | None]:
        return next(attributes for _, attributes in self.elements if attributes.get("role") == role)


def page(view: DeploymentView, after: float = 24.0) -> Page:
    return Page(render_html(view, now=story.START + after))


@pytest.fixture(params=["running", "finished", "failed", "preview", "down"])
def any_view(request: pytest.FixtureRequest) -> DeploymentView:
    return getattr(story, request.param)()


def test_every_view_is_well_formed_and_stands_alone(any_view: DeploymentView) -> None:
    found = page(any_view)
    names = {tag for tag, _ in found.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert "url(" not in render_html(any_view, now=0)
    assert "@import" not in render_html(any_view, now=0)


def test_every_view_has_a_name_a_live_status_and_a_progress_bar(any_view: DeploymentView) -> None:
    found = page(any_view)
    assert found.role("region")["aria-label"] == f"Deployment {story.ID} of shop to local"
    assert found.role("status")["aria-live"] == "polite"
    bar = found.role("progressbar")
    assert bar["aria-valuenow"] == str(round(100 * any_view.progress))
    assert bar["aria-valuetext"]


def test_both_colours_are_set_with_theme_variables_and_fallbacks() -> None:
    style = page(story.running()).role("region")["style"] or ""
    assert "background:var(--bg, var(--vscode-editor-background, var(--jp-layout-color1, #fff)))" in style
    assert "color:var(--fg, var(--vscode-editor-foreground, var(--jp-ui-font-color0, #1f2328)))" in style


def test_the_stylesheet_reaches_nothing_outside() -> None:
    html = render_html(story.running(), now=0)
    css = html[html.index("<style>") + 7 : html.index("</style>")]
    for rule in re.sub(r"@(supports|container) [^{]*\{", "", css).split("}"):
        selectors = rule.partition("{")[0].strip()
        assert all(f".{CLASS}.{CLASS}" in each for each in selectors.split(",") if each.strip()), selectors


def test_services_stand_in_dependency_order_with_words_beside_colours() -> None:
    text = page(story.running()).text
    order = [text.index(f" {name} ") for name in ("web ○", "api ◐ starting", "migrate ✔ exited 0", "db ✔ live · unchanged")]
    assert order == sorted(order)
    assert "worker ◐ building · step 6/9 build ./worker × 3" in text
    assert "managed postgres" in text


def test_a_running_view_tells_what_waits_for_what() -> None:
    text = page(story.running()).text
    assert "○ web waiting for api" in text
    assert "○ worker waiting for image worker" in text
    assert text.count("24 s") == 1


def test_the_picture_is_told_in_words() -> None:
    picture = page(story.running()).named("svg")[0]
    assert picture["role"] == "img"
    assert "web depends on api; api depends on db, cache and migrate" in (picture["aria-label"] or "")


def test_a_finished_view_does_not_change_with_time() -> None:
    assert render_html(story.finished(), now=story.START + 60) == render_html(story.finished(), now=story.START + 6000)


def test_a_finished_view_links_to_what_is_public() -> None:
    html = render_html(story.finished(), now=0, link=lambda url: url.replace("http://localhost:", "/user/ada/proxy/"))
    links = [attributes["href"] for attributes in Page(html).named("a")]
    assert links == ["/user/ada/proxy/18080", "/user/ada/proxy/18080", "/user/ada/proxy/18000"]
    assert "Open web" in Page(html).text
    assert "private" in Page(html).text


def test_a_failed_view_says_what_why_where_and_what_to_do() -> None:
    found = page(story.failed())
    for said in (
        "api never became healthy",
        "api ended with exit code 1, 5 times in 4 s",
        "compose.yaml:9:5",
        "Add fastapi to api/requirements.txt",
        "command: uvicorn main:app",
        "– not reached",
        "■ stopped while building",
    ):
        assert said in found.text
    assert found.role("alert")
    opened = [attributes for attributes in found.named("details") if "open" in attributes]
    assert len(opened) == 1
    assert "ModuleNotFoundError" in found.text


def test_the_caret_stands_under_the_column() -> None:
    html = render_html(story.failed(), now=0)
    pre = html[html.index("│     command") - 5 : html.index("^</span>")]
    quoted, caret = pre.split("\n")
    assert quoted.index("command") == len(caret.partition('class="bad">')[2])


def test_logs_say_what_is_not_shown() -> None:
    found = page(story.running())
    assert "… 31 lines dropped" in found.text
    assert "worker build · step 6/9" in found.text


def test_a_preview_shows_the_plan_with_its_differences_and_no_timeline() -> None:
    text = page(story.preview()).text
    assert "3 to add, 3 to change, 1 to replace, 1 to delete, 1 unchanged" in text
    assert "environment.SECRET_KEY: config(OLD_KEY) → config(SECRET_KEY)" in text
    assert "image: sha256:9c1e08ab → sha256:41b7f00d (replaces)" in text
    assert "migrate ± would be replaced" in text
    assert "Timeline" not in text


def test_a_down_says_removed() -> None:
    text = page(story.down()).text
    assert "✔ down" in text
    assert "web ✔ removed" in text
    assert "live" not in text


def test_nothing_gets_through_unescaped() -> None:
    evil = "<script>alert('x')</script>\"&\x1b[31m"
    view = story.view(
        (
            (
                0,
                Requested(
                    kind=story.Kind.UP, project=evil, stack=evil, provider=evil, services=(ServiceInfo(name=evil, what=evil),)
                ),
            ),
            (1, BuildLine(urn=evil, line=evil, services=(evil,))),
            (1, LogLine(service=evil, line=evil)),
            (1, EndpointFound(service=evil, url="javascript:alert(1)", port=1)),
            (
                2,
                story.Diagnosed(
                    diagnostic=Diagnostic(
                        severity=Severity.ERROR, code="x", message=evil, hint=evil, position=Position(evil, 1), excerpt=evil
                    )
                ),
            ),
            (3, story.Finished(outcome=story.Outcome.FAILED, message=evil + "2", hint=evil)),
        )
    )
    found = page(view)
    assert not found.named("script")
    assert not found.named("a")
    assert "\x1b" not in render_html(view, now=0)
    assert found.text.count("<script>alert('x')</script>\"&") >= 8


def test_many_services_are_a_table_without_a_picture() -> None:
    many = {f"s{number}": msgspec.structs.replace(story.running().services["web"], name=f"s{number}") for number in range(40)}
    found = page(msgspec.structs.replace(story.running(), services=many))
    assert not found.named("svg")
    assert "s39" in found.text


def test_an_empty_view_is_shown_too() -> None:
    assert "preparing" in page(DeploymentView(id="x")).text


def test_nothing_waits_for_what_is_over_while_something_else_runs() -> None:
    view = story.view(story.OPENING, until=16.0)
    running = [urn for urn, step in view.steps.items() if step.finished is None]
    assert running == ["shop/image/worker"]
    assert critical(view) == {"shop/image/worker"}
    assert critical(story.running()) == {"shop/image/api", "shop/run/migrate", "shop/service/api"}


def test_a_card_in_parts_is_the_card_and_time_alone_changes_only_the_clock_and_the_chart() -> None:
    view = story.running()
    whole = render_html(view, now=story.START + 24)
    now, later = (parts(view, now=story.START + 24 + second) for second in (0, 1))
    assert all(each in whole for each in (*now.head, *now[1:]))
    assert [name for name in Head._fields if getattr(now.head, name) != getattr(later.head, name)] == ["when"]
    assert [name for name in Parts._fields[1:] if getattr(now, name) != getattr(later, name)] == ["course"]

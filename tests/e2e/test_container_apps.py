"""The example apps in containers: built by the engine from their own Dockerfiles."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from defang_nb.client import api
from tests.e2e.dockerd import Dockerd

pytestmark = pytest.mark.e2e

APPS = Path(__file__).parents[2] / "notebooks" / "apps"


@pytest.fixture
def app(dockerd: Dockerd, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A copy of an app in a folder of its own."""
    monkeypatch.setenv("DOCKER_HOST", dockerd.host)
    monkeypatch.setenv("DEFANG_ENGINE", "docker")
    with dockerd.client() as client:
        client.images.get("python:3.12-slim").tag("python", "3-slim")

    def copied(name: str) -> Path:
        return Path(shutil.copytree(APPS / name, tmp_path / name))

    return copied


@pytest.mark.parametrize(("name", "service", "said"), [("hello", "web", "notebook"), ("dashboard", "dashboard", "")])
def test_example(name: str, service: str, said: str, app: Callable[[str], Path]) -> None:
    folder = app(name)
    try:
        done = api.up(working_dir=folder)
        assert said in get(done.endpoints[service])
        assert api.up(working_dir=folder).view.plan.mutations == ()
    finally:
        api.down(name, yes=True)
    assert api.ps(name) == []


def test_an_api_and_its_database(dockerd: Dockerd, app: Callable[[str], Path]) -> None:
    """What was stored outlives a change, and a `down` that does not agree to its loss."""
    dockerd.have("postgres:16")
    folder = app("api")
    api.config_set("POSTGRES_PASSWORD", secrets.token_hex(), project="api")
    try:
        url = api.up(working_dir=folder).endpoints["api"].rstrip("/")
        points = [{"x": x, "y": 3 * x - 2} for x in range(5)]
        assert json.loads(get(f"{url}/points", json.dumps(points)))["points"] == 5
        assert api.up(working_dir=folder).view.plan.mutations == ()
        compose = folder / "compose.yaml"
        compose.write_text(compose.read_text().replace("    environment:\n", "    environment:\n      CHANGED: yes\n", 1))
        changed = api.up(working_dir=folder)
        assert {step.urn.rpartition("/")[2] for step in changed.view.plan.mutations} == {"api"}
        url = changed.endpoints["api"].rstrip("/")
        assert json.loads(get(f"{url}/predict?x=10"))["y"] == pytest.approx(28)
        api.down("api")
        url = api.up(working_dir=folder).endpoints["api"].rstrip("/")
        assert json.loads(get(f"{url}/predict?x=10"))["y"] == pytest.approx(28)
    finally:
        api.down("api", yes=True)
    assert api.ps("api") == []


def test_a_shop_of_six_services(dockerd: Dockerd, app: Callable[[str], Path], until: Callable[..., None]) -> None:
    """An order goes through the web, the database, the queue and a worker."""
    dockerd.have("postgres:16", "redis:6.2")
    folder = app("shop")
    for key in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        api.config_set(key, secrets.token_hex(), project="shop")
    try:
        url = api.up(working_dir=folder).endpoints["web"].rstrip("/")
        order = json.loads(get(f"{url}/orders", "product=Teapot", {"Accept": "application/json"}))
        until(lambda: json.loads(get(f"{url}/orders/{order['number']}"))["state"] == "shipped")
        assert {each.service: each.state for each in api.ps("shop")}["migrate"] == "exited"
        assert api.up(working_dir=folder).view.plan.mutations == ()
    finally:
        api.down("shop", yes=True)
    assert api.ps("shop") == []


def get(url: str, data: str | None = None, headers: dict[str, str] | None = None) -> str:
    """The answer's body; with `data` (JSON, unless `headers` say otherwise) it is a POST."""
    asked = Request(url, data.encode() if data else None, headers or {"Content-Type": "application/json"})
    with urlopen(asked, timeout=10) as answer:
        return str(answer.read().decode())

"""The example apps go live with no change to their files, answer, and leave nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Stack

APPS = Path(__file__).parents[2] / "notebooks" / "apps"
JSON = {"Accept": "application/json", "Content-Type": "application/json"}
pytestmark = pytest.mark.e2e


def compose(name: str) -> str:
    return str(APPS / name / "compose.yaml")


def test_hello(stack: Stack, get: Callable[..., str]) -> None:
    stack.run("up", "-f", compose("hello"))
    assert json.loads(get(stack.endpoints("hello")["web"]))["message"] == "Hello, notebook!"
    stack.run("down", "-p", "hello")
    assert stack.records("ps") == []


def test_dashboard(stack: Stack, get: Callable[..., str]) -> None:
    stack.run("up", "-f", compose("dashboard"))
    url = stack.endpoints("dashboard")["dashboard"].rstrip("/")
    assert "<title>Streamlit</title>" in get(url)
    assert get(f"{url}/_stcore/health") == "ok"
    stack.run("down", "-p", "dashboard")
    assert stack.records("ps") == []


def test_api_needs_its_secret_first(stack: Stack) -> None:
    refused = stack.run("up", "-f", compose("api"), check=False)
    assert refused.returncode == 4
    assert "POSTGRES_PASSWORD" in refused.stderr
    assert stack.records("ps") == []


def test_api(stack: Stack, get: Callable[..., str]) -> None:
    stack.run("config", "set", "POSTGRES_PASSWORD", "--random", "-p", "api")
    stack.run("up", "-f", compose("api"))
    url = stack.endpoints("api")["api"].rstrip("/")
    points = [{"x": x, "y": 3 * x - 2} for x in range(5)]
    assert json.loads(get(f"{url}/points", data=json.dumps(points).encode(), headers=JSON))["points"] == 5
    assert json.loads(get(f"{url}/predict?x=10"))["y"] == pytest.approx(28)
    before = {each["service"]: each["pids"] for each in stack.records("ps")}
    stack.run("up", "-f", compose("api"))
    assert {each["service"]: each["pids"] for each in stack.records("ps")} == before
    stack.run("down", "-p", "api", "--yes")
    assert stack.records("ps") == []


def test_shop(stack: Stack, get: Callable[..., str], until: Callable[..., None]) -> None:
    for key in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        stack.run("config", "set", key, "--random", "-p", "shop")
    stack.run("up", "-f", compose("shop"))
    url = stack.endpoints("shop")["web"].rstrip("/")
    assert "Teapot" in get(url)
    order = json.loads(get(f"{url}/orders", data=b"product=Teapot", headers={"Accept": "application/json"}))
    assert order["state"] == "placed"
    until(lambda: json.loads(get(f"{url}/orders/{order['number']}"))["state"] == "shipped")
    stack.run("down", "-p", "shop", "--yes")
    assert stack.records("ps") == []

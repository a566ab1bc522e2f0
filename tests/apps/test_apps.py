"""The example apps are sound: their files load without an error, and the dashboard's data is what its maker makes."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import pytest

from defang_nb.client import api

APPS = Path(__file__).parents[2] / "notebooks" / "apps"
SECRETS = {"api": {"POSTGRES_PASSWORD"}, "dashboard": set(), "hello": set(), "shop": {"POSTGRES_PASSWORD", "SECRET_KEY"}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFANG_NB_HOME", str(tmp_path))


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_an_app_can_be_run_here(name: str) -> None:
    checked = api.check(APPS / name / "compose.yaml")
    assert [each for each in checked.diagnostics if each.severity == "error"] == []
    assert set(checked.missing) == SECRETS[name]


def test_the_shop_has_six_services_of_which_one_runs_once() -> None:
    project = api.check(APPS / "shop" / "compose.yaml").project
    assert set(project.services) == {"web", "worker", "scheduler", "migrate", "db", "cache"}
    assert [name for name, service in project.services.items() if service.one_off] == ["migrate"]


def test_the_dashboard_s_data_is_what_its_maker_makes() -> None:
    folder = APPS / "dashboard"
    rows = runpy.run_path(str(folder / "make_data.py"))["rows"]()
    with (folder / "sales.csv").open(encoding="utf-8", newline="") as file:
        header, *found = csv.reader(file)
    assert header == ["week", "shop", "item", "sold", "revenue"]
    assert found == [[str(value) for value in row] for row in rows]

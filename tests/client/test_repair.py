"""A damaged store, met by real deployments: a clear error that names the way out, a way out that works; the app stays live."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

from defang_nb.client import api
from defang_nb.errors import DeploymentFailedError, StateDamagedError
from defang_nb.model.events import Outcome
from defang_nb.providers.local.paths import StackPaths
from tests.client.conftest import App


def objects(kind: str) -> list[Path]:
    return sorted((StackPaths.of("local").store / "projects" / "shop" / "state" / kind).rglob("*-*"))


def test_a_damaged_record_is_told_and_repaired(app: App) -> None:
    app.open()
    first = api.up(working_dir=app.folder)
    for damaged in objects("journal"):
        damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(DeploymentFailedError, match="cut short") as caught:
        api.up(working_dir=app.folder)
    assert caught.value.exit_code == StateDamagedError.exit_code
    assert "stack repair" in caught.value.hint
    with urlopen(first.endpoints["web"], timeout=10) as answer:
        assert answer.status == 200

    repaired = api.start_repair("shop").wait()
    assert "found again" in repaired.view.message
    assert {each.code for each in repaired.view.diagnostics} == {"state-damaged"}
    again = api.up(working_dir=app.folder)
    assert again.endpoints == first.endpoints
    assert api.up(working_dir=app.folder).view.message == "nothing to change"
    assert [(each.service, each.running) for each in api.ps()] == [("web", 1)]
    assert "nothing had to be repaired" in api.start_repair("shop").wait().view.message
    assert api.down("shop", yes=True).outcome is Outcome.SUCCEEDED

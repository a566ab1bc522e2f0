"""Two real cds, each of a machine of its own (a home, as far as they can tell), fight for one project of one store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from defang_nb.client import api
from defang_nb.errors import LeaseHeldError
from defang_nb.model.events import Outcome
from tests.crash.matrix import FIRST, PROJECT, Lane, prepared
from tests.crash.test_zombie import world

pytestmark = pytest.mark.e2e


def test_a_cd_that_was_stopped_past_its_deadline_writes_nothing_more() -> None:
    with prepared() as folder:
        lane = Lane(folder, "lane0")
        (lane.root / "stop").write_text("after journal begin create app/service/api")
        sleeping = api.start_up(text=FIRST, stack=lane.name, working_dir=folder)
        try:
            while not (lane.root / "stopped").exists():
                time.sleep(0.05)
            refused = second_up(folder)
            while refused.returncode == LeaseHeldError.exit_code:
                assert f"deployment {sleeping.id} of" in refused.stderr + refused.stdout
                time.sleep(1.0)
                refused = second_up(folder)
            assert refused.returncode == 0, refused.stderr
            before = state_and_cloud(lane)
            os.kill(int((lane.root / "stopped").read_text()), signal.SIGCONT)
            sleeping.wait(60, check=False)
            assert sleeping.outcome is Outcome.FAILED
            assert "took this project over" in sleeping.view.message
            assert state_and_cloud(lane) == before
            assert second_up(folder).returncode == 0
            assert len(lane.cloud.things()) == 20
        finally:
            lane.end()


def second_up(folder: Path) -> subprocess.CompletedProcess[str]:
    """`up` of the same project to the same store, from elsewhere."""
    (folder / "compose.yaml").write_text(FIRST)
    environment = os.environ | {"DEFANG_NB_HOME": str(folder / "elsewhere")}
    command = [sys.executable, "-m", "defang_nb", "up", "-s", "lane0"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def state_and_cloud(lane: Lane) -> object:
    """All but the deployments' own stories, which each of them ends itself."""
    store, things, calls = world(lane.root)
    mine = f"projects/{PROJECT}/"
    return (
        {key: data for key, data in store.items() if key in (f"{mine}lease",) or key.startswith(f"{mine}state/")},
        things,
        calls,
    )

"""cd dies in the middle of a deployment to a real container engine: nothing is lost, doubled or left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.containers import JOURNEYS, Lane, install, path
from tests.e2e.dockerd import Dockerd

pytestmark = pytest.mark.e2e

EVERY = 9
"""One boundary of so many: each is some deployments to a real engine."""


@pytest.fixture
def lane(dockerd: Dockerd, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lane]:
    install(tmp_path, dockerd.host)
    monkeypatch.setenv("PYTHONPATH", path(tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "plugin")
    with dockerd.client() as client:
        made = Lane(tmp_path, client)
        yield made
        made.deploy("")


def test_a_death_at_one_boundary_of_some(lane: Lane) -> None:
    tried = 0
    for journey in JOURNEYS:
        for boundary in lane.boundaries(journey)[EVERY // 2 :: EVERY]:
            lane.round(journey, boundary)
            tried += 1
    print(f"{tried} deaths")
    assert lane.faults == []
    assert tried >= len(JOURNEYS)

"""The example apps in containers: built by the engine from their own Dockerfiles."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.request import urlopen

import pytest

from defang_nb.client import api
from tests.e2e.dockerd import Dockerd

pytestmark = pytest.mark.e2e

APPS = Path(__file__).parents[2] / "notebooks" / "apps"


@pytest.mark.parametrize(("name", "service", "said"), [("hello", "web", "notebook"), ("dashboard", "dashboard", "")])
def test_example(
    name: str, service: str, said: str, dockerd: Dockerd, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", dockerd.host)
    monkeypatch.setenv("DEFANG_ENGINE", "docker")
    dockerd.docker("tag", "python:3.12-slim", "python:3-slim")
    folder = tmp_path / name
    shutil.copytree(APPS / name, folder)
    try:
        done = api.up(working_dir=folder)
        with urlopen(done.endpoints[service], timeout=10) as answer:
            assert answer.status == 200 and said in answer.read().decode()
        assert api.up(working_dir=folder).view.plan.mutations == ()
    finally:
        api.down(name, yes=True)
    assert api.ps(name) == []

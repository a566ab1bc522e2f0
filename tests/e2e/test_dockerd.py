"""The engine that the other tests use: it has the base images, it reaches out, and it comes back after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.dockerd import Dockerd, answers, started

pytestmark = pytest.mark.e2e


def test_containers_run(dockerd: Dockerd) -> None:
    with dockerd.client() as client:
        assert client.containers.run("busybox", "echo hello", remove=True) == b"hello\n"
        assert client.containers.run("python:3.12-slim", ["python", "-c", "print(6 * 7)"], remove=True) == b"42\n"


def test_a_killed_engine_comes_back_with_what_it_had(dockerd: Dockerd, tmp_path: Path) -> None:
    if not dockerd.own:
        pytest.skip("the engine that answers here is not ours to kill")
    with started(tmp_path) as other:
        with other.client() as client:
            client.volumes.create("kept")
        other.restart(kill=True)
        with other.client() as client:
            assert [each.name for each in client.volumes.list()] == ["kept"]
        assert answers(dockerd.host)
    assert not answers(other.host)

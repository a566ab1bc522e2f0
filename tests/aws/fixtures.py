"""Fixtures for the tests that need a simulated AWS: import them into a conftest.

from tests.aws.fixtures import _simulation, simulation  # noqa: F401 - fixtures
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.account import Yard
from tests.aws.handle import Simulation, simulated
from tests.e2e.dockerd import Dockerd
from tests.e2e.registry import Registry


@pytest.fixture(scope="session")
def _simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    with simulated(log=tmp_path_factory.mktemp("aws") / "log") as it:
        yield it


@pytest.fixture
def simulation(_simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """A simulated AWS with nothing in it, where tasks are not really run; this process's boto3 goes there."""
    return _emptied(_simulation, monkeypatch)


def _emptied(it: Simulation, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    it.reset()
    for name, value in it.environment({}).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return it


@pytest.fixture
def yard(simulation: Simulation) -> Yard:
    """An account with a network, a cluster and a log group."""
    return Yard(simulation).prepare()


@pytest.fixture(scope="session")
def _real_simulation(
    dockerd: Dockerd, registry: Registry, kaniko: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Simulation]:
    options = ["--docker", dockerd.host, "--registry", registry.address, "--kaniko", kaniko, "--pace", "0.1"]
    with simulated(*options, log=tmp_path_factory.mktemp("aws") / "log") as it:
        yield it


@pytest.fixture
def real_simulation(_real_simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """A simulated AWS with nothing in it, where tasks are containers; this process's boto3 goes there.

    Its user imports the fixtures `dockerd`, `registry` and `kaniko` of `tests.e2e` too.
    """
    return _emptied(_real_simulation, monkeypatch)


@pytest.fixture
def real_yard(real_simulation: Simulation) -> Yard:
    """An account with a network, a cluster and a log group, where tasks are containers."""
    return Yard(real_simulation).prepare()

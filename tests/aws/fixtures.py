"""Fixtures for the tests that need a simulated AWS: import them into a conftest.

from tests.aws.fixtures import _simulation, simulation  # noqa: F401 - fixtures
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.account import Yard
from tests.aws.handle import Simulation, simulated


@pytest.fixture(scope="session")
def _simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    with simulated(log=tmp_path_factory.mktemp("aws") / "log") as it:
        yield it


@pytest.fixture
def simulation(_simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """A simulated AWS with nothing in it, where tasks are not really run; this process's boto3 goes there."""
    _simulation.reset()
    environment = _simulation.environment({})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return _simulation


@pytest.fixture
def yard(simulation: Simulation) -> Yard:
    """An account with a network, a cluster and a log group."""
    return Yard(simulation).prepare()

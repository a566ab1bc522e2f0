"""One moto server for all of a run's tests, emptied before each: an oracle for the shapes of answers and for S3's semantics."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.types import base
from tests.aws import mending
from tests.aws.fixtures import _simulation, simulation  # noqa: F401 - fixtures
from tests.aws.handle import Simulation
from tests.providers.aws.stage import Stage
from tests.providers.aws.types_world import World, prepared

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    mending.mend()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(_moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an AWS with nothing in it; this process's boto3 goes there."""
    urllib.request.urlopen(urllib.request.Request(f"{_moto}/moto-api/reset", method="POST")).close()
    for name, value in {
        "AWS_ENDPOINT_URL": _moto, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return _moto


@pytest.fixture
def account(aws: str, _account: Account) -> Account:
    return _account


@pytest.fixture(scope="session")
def _account() -> Account:
    """One for all tests, as boto3 takes half a second to make a client."""
    return Account({"AWS_REGION": REGION})


@pytest.fixture(scope="session")
def _simulated() -> Account:
    """As `_account`, but of the simulated AWS."""
    return Account({"AWS_REGION": REGION})


@pytest.fixture
async def world(simulation: Simulation, _simulated: Account, monkeypatch: pytest.MonkeyPatch) -> World:  # noqa: F811
    """The types of resources in the simulated AWS, used one by one."""
    monkeypatch.setattr(base, "FIRST", 0.01)
    made = await prepared(_simulated)
    simulation.forget()
    return World(_simulated, made)


@pytest.fixture
async def stage(simulation: Simulation, _simulated: Account, monkeypatch: pytest.MonkeyPatch) -> Stage:  # noqa: F811
    """The engine and the types in a simulated AWS that moves fast."""
    monkeypatch.setattr(base, "FIRST", 0.02)
    made = await prepared(_simulated)
    simulation.forget()
    simulation.pace(0.02)
    return Stage(_simulated, made)

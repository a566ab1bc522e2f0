"""One moto server for all of a run's tests, emptied before each: an oracle for the shapes of answers and for S3's semantics."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from defang_nb.providers.aws.account import Account
from tests.aws import teardown
from tests.aws.fixtures import _simulation, simulation  # noqa: F401 - fixtures

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    teardown.mend()
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

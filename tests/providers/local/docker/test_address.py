"""Ports that may be any, when somebody else has taken the one that was chosen."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from defang_nb.model.resource import Recorded, Resource, urn
from defang_nb.providers.local.docker.engine import DockerEngine
from defang_nb.providers.local.docker.types.address import AddressType
from defang_nb.providers.local.paths import StackPaths
from defang_nb.provision.ports import Operation


@pytest.fixture
def address(tmp_path: Path) -> AddressType:
    return AddressType(DockerEngine(StackPaths(tmp_path), "local", {}))


def wish(published: int | None) -> Resource:
    port = {"target": 80, "published": published, "exact": published is not None, "host": ""}
    return Resource(urn=urn("shop", AddressType.name, "web"), type=AddressType.name, inputs={"ports": [port]})


async def made(address: AddressType, resource: Resource) -> Recorded:
    done = await address.create(Operation(resource=resource, token="t", deployment="d", emit=lambda _: None))
    return Recorded(
        urn=resource.urn, type=resource.type, id=done.id, inputs=resource.inputs, outputs=done.outputs, input_hash=""
    )


async def test_another_port_is_chosen_when_somebody_has_the_one_before(address: AddressType, tmp_path: Path) -> None:
    record = await made(address, wish(None))
    assert await address.read_many([record]) == {record.urn: record.outputs}
    port = record.outputs["ports"]["80"]
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        _refuse(tmp_path, port)
        assert await address.read_many([record]) == {record.urn: None}
        again = await made(address, wish(None))
    assert again.outputs["ports"]["80"] != port
    assert await address.read_many([again]) == {again.urn: again.outputs}


async def test_a_port_that_was_asked_for_is_not_another_one(
    address: AddressType, tmp_path: Path, free: Callable[[], int]
) -> None:
    record = await made(address, wish(free()))
    _refuse(tmp_path, record.outputs["ports"]["80"])
    assert await address.read_many([record]) == {record.urn: record.outputs}


@pytest.fixture
def free() -> Callable[[], int]:
    from defang_nb.providers.local.process import ports

    return lambda: ports.free(())


def _refuse(folder: Path, port: int) -> None:
    """As the forwarder tells it."""
    (folder / "fronts.status").write_text(json.dumps({"problems": {f"127.0.0.1:{port}": "address already in use"}}))

"""A cd that another version of this package left running: replaced when idle, respected when busy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from defang_nb.client.channel import Cd
from defang_nb.client.workspace import Workspace
from defang_nb.errors import VersionMismatchError
from defang_nb.model.events import Finished, Kind, Outcome
from defang_nb.model.project import Project
from defang_nb.model.request import PROTOCOL, DeployRequest, new_id
from defang_nb.model.stack import LOCAL, Stack
from defang_nb.providers.base import CdAddress
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.rendezvous import Rendezvous
from defang_nb.wire.generated import cd_pb2 as pb
from defang_nb.wire.generated import cd_pb2_grpc


class _Older(cd_pb2_grpc.CdServicer):
    """What a cd of the next protocol answers."""

    def __init__(self, running: Sequence[str]) -> None:
        self._running = running

    async def GetInfo(self, request: Any, context: Any) -> pb.GetInfoResponse:  # noqa: N802
        return pb.GetInfoResponse(protocol=PROTOCOL + 1, version="9.9", stack="local", running=self._running)


@asynccontextmanager
async def older(*running: str) -> AsyncIterator[Rendezvous]:
    rendezvous = Rendezvous(StackPaths.of("local"))
    rendezvous.prepare()
    assert rendezvous.hold()
    server = grpc.aio.server()
    cd_pb2_grpc.add_CdServicer_to_server(_Older(running), server)
    server.add_insecure_port(f"unix:{rendezvous.socket}")
    await server.start()
    rendezvous.publish(CdAddress(target=f"unix:{rendezvous.socket}"))
    try:
        yield rendezvous
    finally:
        await server.stop(None)


def request() -> DeployRequest:
    project = Project(name="shop", services={})
    return DeployRequest(deployment=new_id(), kind=Kind.DOWN, stack=LOCAL, project=project)


async def test_a_busy_one_is_an_error_that_says_what_to_do(home: Path) -> None:
    async with older("1ng7hm39d6"):
        with pytest.raises(VersionMismatchError, match=r"version 9\.9 .*busy with 1ng7hm39d6") as caught:
            await Workspace(Stack()).start(request(), (), lambda detail: None)
    assert "try again" in caught.value.hint


async def test_an_idle_one_makes_place(home: Path) -> None:
    """It is a process of its own: this module, run as a cd would be."""
    command = [sys.executable, "-c", _PROGRAM, "defang_nb.cd"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"serving\n"
    workspace, wanted = Workspace(Stack()), request()
    await workspace.start(wanted, (), lambda detail: None)
    assert Rendezvous(StackPaths.of("local")).holder() != process.pid
    await process.wait()
    events = [event async for event in workspace.follow("shop", wanted.deployment)]
    assert isinstance(events[-1].payload, Finished)
    assert events[-1].payload.outcome is Outcome.SUCCEEDED


_PROGRAM = """
import asyncio, signal
from tests.client.test_versions import older

async def main():
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    async with older() as rendezvous:
        print("serving", flush=True)
        await asked.wait()
        rendezvous.withdraw()

asyncio.run(main())
"""


async def test_asking_twice_starts_it_once(home: Path) -> None:
    workspace, wanted = Workspace(Stack()), request()
    await workspace.start(wanted, (), lambda detail: None)
    first = [event async for event in workspace.follow("shop", wanted.deployment)]
    await workspace.start(wanted, (), lambda detail: None)
    assert [event async for event in workspace.follow("shop", wanted.deployment)] == first
    address = await workspace.provider.find_cd()
    assert address is not None
    cd = Cd(address)
    assert (await cd.info()).running == ()
    await cd.close()

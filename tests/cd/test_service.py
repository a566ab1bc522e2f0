"""A real cd process: launched, found, asked, left alone by strangers, and gone by itself."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import defang_nb
from defang_nb.client.channel import Cd, UnreachableError
from defang_nb.errors import CdError, NotFoundError, UsageError, VersionMismatchError
from defang_nb.model.events import Kind
from defang_nb.model.project import Project
from defang_nb.model.request import PROTOCOL, DeployRequest
from defang_nb.model.stack import Stack
from defang_nb.providers.base import CdAddress
from defang_nb.providers.keys import make_keys
from defang_nb.providers.local.launcher import Launcher
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.rendezvous import Rendezvous

TRANSPORTS = ("unix", "tls")


@pytest.fixture
async def launcher(home: Path) -> AsyncIterator[Launcher]:
    launcher = Launcher(Stack(name="local", settings={"DEFANG_CD_IDLE": "60"}))
    yield launcher
    await launcher.stop()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_it_says_who_it_is(home: Path, transport: str) -> None:
    launcher = Launcher(Stack(name="local", settings={"DEFANG_CD_TRANSPORT": transport}))
    cd = Cd(await launcher.launch())
    info = await cd.info()
    assert (info.protocol, info.version, info.stack, info.running) == (PROTOCOL, defang_nb.__version__, "local", ())
    assert psutil.Process(info.pid).cwd() == str(StackPaths.of("local").root)
    await cd.close()
    await launcher.stop()
    assert await launcher.find() is None


async def test_nobody_else_can_open_what_it_opens(launcher: Launcher) -> None:
    await launcher.launch()
    paths = StackPaths.of("local")
    assert stat.S_IMODE(paths.sockets.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in paths.sockets.iterdir()}
    assert modes == {"cd.sock": 0o600, "cd.json": 0o600}
    assert stat.S_IMODE(paths.root.stat().st_mode) == 0o700
    assert stat.S_IMODE((paths.root / "cd.log").stat().st_mode) == 0o600


async def test_a_stranger_without_its_keys_is_refused(home: Path) -> None:
    launcher = Launcher(Stack(name="local", settings={"DEFANG_CD_TRANSPORT": "tls"}))
    address = await launcher.launch()
    assert address.keys is not None
    stranger = make_keys()[1]
    trusting = type(stranger)(address.keys.ca, stranger.certificate, stranger.key)
    for keys in (None, stranger, trusting):
        cd = Cd(CdAddress(target=address.target, keys=keys))
        with pytest.raises(UnreachableError, match=r"keys|closed|does not answer"):
            await cd.info()
        await cd.close()
    cd = Cd(address)
    assert (await cd.info()).stack == "local"
    await cd.close()
    await launcher.stop()


async def test_its_keys_are_gone_with_it(home: Path) -> None:
    launcher = Launcher(Stack(name="local", settings={"DEFANG_CD_TRANSPORT": "tls"}))
    await launcher.launch()
    await launcher.stop()
    assert list(StackPaths.of("local").sockets.iterdir()) == []


async def test_many_who_launch_get_the_same_one(home: Path) -> None:
    launchers = [Launcher(Stack(name="local")) for _ in range(4)]
    addresses = await asyncio.gather(*(each.launch() for each in launchers))
    pids = set()
    for address in addresses:
        cd = Cd(address)
        pids.add((await cd.info()).pid)
        await cd.close()
    assert len(pids) == 1
    await launchers[0].stop()


async def test_it_ends_by_itself_when_idle(home: Path) -> None:
    launcher = Launcher(Stack(name="local", settings={"DEFANG_CD_IDLE": "0.5"}))
    await launcher.launch()
    pid = Rendezvous(StackPaths.of("local")).holder()
    if pid is not None and psutil.pid_exists(pid):
        _, left = await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)], timeout=20)
        assert not left
    assert list(StackPaths.of("local").sockets.iterdir()) == []


async def test_after_a_kill_the_next_launch_works(launcher: Launcher) -> None:
    cd = Cd(await launcher.launch())
    first = (await cd.info()).pid
    await cd.close()
    psutil.Process(first).kill()
    await asyncio.to_thread(psutil.wait_procs, [psutil.Process(first)] if psutil.pid_exists(first) else [], timeout=20)
    assert await launcher.find() is None
    cd = Cd(await launcher.launch())
    assert (await cd.info()).pid != first
    await cd.close()


async def test_health_and_reflection_answer(launcher: Launcher) -> None:
    address = await launcher.launch()
    async with grpc.aio.insecure_channel(address.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "defang_nb.cd.v1.Cd"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
        listed = [service.name async for each in call for service in each.list_services_response.service]
        assert "defang_nb.cd.v1.Cd" in listed


async def test_what_it_does_not_run_is_not_found(launcher: Launcher) -> None:
    cd = Cd(await launcher.launch())
    with pytest.raises(NotFoundError):
        await cd.cancel("nothing")
    with pytest.raises(NotFoundError):
        _ = [event async for event in cd.watch("nothing", 1)]
    await cd.close()


async def test_a_client_of_another_protocol_is_refused(launcher: Launcher) -> None:
    cd = Cd(await launcher.launch())
    request = DeployRequest(
        deployment="d", kind=Kind.UP, stack=Stack(), project=Project(name="shop", services={}), protocol=PROTOCOL + 1
    )
    with pytest.raises(VersionMismatchError, match=f"speaks protocol {PROTOCOL}, the client {PROTOCOL + 1}"):
        await cd.deploy(request)
    await cd.close()


async def test_a_stack_that_it_does_not_serve_is_refused(launcher: Launcher) -> None:
    cd = Cd(await launcher.launch())
    request = DeployRequest(deployment="d", kind=Kind.UP, stack=Stack(name="other"), project=Project(name="shop", services={}))
    with pytest.raises(CdError, match="serves the stack 'local'"):
        await cd.deploy(request)
    await cd.close()


async def test_a_cd_that_can_not_start_says_why(home: Path) -> None:
    launcher = Launcher(Stack(name="local", settings={"DEFANG_CD_TRANSPORT": "pigeon"}))
    with pytest.raises(CdError, match="exit code 2") as caught:
        await launcher.launch()
    assert "pigeon" in caught.value.hint


async def test_an_idle_time_that_is_no_number_is_refused(home: Path) -> None:
    launcher = Launcher(Stack(name="local", settings={"DEFANG_CD_IDLE": "soon"}))
    with pytest.raises(UsageError, match="DEFANG_CD_IDLE"):
        await launcher.launch()

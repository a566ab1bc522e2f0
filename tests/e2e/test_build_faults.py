"""Builds on an engine whose disk gets full, and on one that is killed in the middle: an engine of the test's own each."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from defang_nb.errors import DefangError
from defang_nb.providers.local.docker.builders.buildkit import BuildKit
from defang_nb.providers.local.docker.builders.classic import Classic
from defang_nb.providers.local.docker.builders.kaniko import Kaniko
from defang_nb.providers.local.docker.builders.registry import registry_of
from defang_nb.provision.calls import call
from defang_nb.provision.clock import SystemClock
from tests.e2e.dockerd import Dockerd, started, without
from tests.e2e.packages import UnavailableError
from tests.e2e.registry import Registry
from tests.e2e.test_builds import Bench

# The docker package leaves a socket open when it finds no engine there.
pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def engine(tmp_path: Path, dockerd: Dockerd) -> Iterator[Dockerd]:
    """An engine that may be killed. (`dockerd`: so that what makes base images is there.)"""
    yield from _engine(tmp_path / "engine", None)


@pytest.fixture
def small(tmp_path: Path, dockerd: Dockerd) -> Iterator[Dockerd]:
    """An engine with a disk of 96 MiB."""
    data = tmp_path / "disk"
    data.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", data]).returncode:
        without("no small disk: mounting one takes root, and more than most containers may (CAP_SYS_ADMIN)")
    try:
        yield from _engine(tmp_path / "engine", data / "engine")
    finally:
        subprocess.run(["umount", str(data)], check=True)


def _engine(folder: Path, data: Path | None) -> Iterator[Dockerd]:
    folder.mkdir()
    try:
        with started(folder, data=data) as it:
            it.have("busybox")
            yield it
    except UnavailableError as problem:
        without(str(problem))


@pytest.mark.parametrize("maker", [BuildKit, Classic])
async def test_a_disk_that_gets_full(small: Dockerd, tmp_path: Path, maker: Callable[..., Any]) -> None:
    bench = Bench(small, tmp_path)
    with pytest.raises(DefangError) as told:
        await bench.build(maker, {"Dockerfile": "FROM busybox\nRUN echo so far\nRUN dd if=/dev/zero of=/big bs=1M count=300\n"})
    assert "the engine's disk is full" in told.value.hint
    [found] = told.value.diagnostics
    assert found.position is not None and found.position.line == 3
    assert await bench.build(maker, {"Dockerfile": "FROM busybox\nRUN echo fits\n"})


async def killed_in_the_middle(engine: Dockerd, bench: Bench, build: Callable[[], Any]) -> str:
    """The engine dies while a build runs, and comes back: what then is tried again, as the deployment engine does, succeeds."""
    building = asyncio.create_task(call(build, SystemClock()))
    while not any(each.line == "begun" for each in bench.lines):
        await asyncio.wait({building}, timeout=0.05)
        assert not building.done(), building.result()
    await asyncio.to_thread(engine.restart, kill=True)
    image: str = await building
    return image


@pytest.mark.parametrize("maker", [BuildKit, Classic])
async def test_an_engine_that_is_killed_in_the_middle(engine: Dockerd, tmp_path: Path, maker: Callable[..., Any]) -> None:
    bench = Bench(engine, tmp_path)
    bench.connect().close()  # asks for the version, while it answers
    files = {"Dockerfile": "FROM busybox\nRUN echo begun; sleep 4; echo done > /done\n"}
    image = await killed_in_the_middle(engine, bench, lambda: bench.build(maker, files))
    assert bench.run(image, "cat", "/done") == "done\n"


async def test_an_engine_that_is_killed_while_kaniko_builds(
    engine: Dockerd, registry: Registry, kaniko: str, dockerd: Dockerd, tmp_path: Path
) -> None:
    saved = tmp_path / "kaniko.tar"
    dockerd.docker("save", "-o", str(saved), kaniko)
    engine.docker("load", "-i", str(saved))
    bench = Bench(engine, tmp_path)
    bench.connect().close()  # asks for the version, while it answers
    files = {"Dockerfile": "FROM busybox\nRUN echo begun; sleep 4; echo done > /done\n"}
    found = registry_of({"DEFANG_REGISTRY": registry.address, "DEFANG_REGISTRY_MIRROR": registry.address})
    marks = {"io.defang.nb.urn": "x"}
    image = await killed_in_the_middle(
        engine, bench, lambda: bench.build(lambda connect, _: Kaniko(connect, found, marks, image=kaniko), files)
    )
    assert bench.run(image, "cat", "/done") == "done\n"
    assert engine.docker("ps", "-aq") == ""

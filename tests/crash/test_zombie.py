"""Two real processes fight for a lease. One is stopped past its deadline, the other takes over, the woken one does nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.deploy import LONG, SHORT, deploy
from tests.crash.filecloud import Cloud
from tests.crash.matrix import PROJECT

RESOURCES = 20


def begin(root: Path, id_: str, ttl: float = SHORT) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.crash.deploy", str(root), id_, str(ttl)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    }
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def wait_for(condition: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        for process in processes:
            assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def world(root: Path) -> tuple[dict[str, bytes], dict[str, bytes], list[str]]:
    """Everything that a process could have changed: the store, the cloud, the calls that were made."""
    ignored = ("/.locks/", "/.tmp/")
    store = {key: data for key, data in contents(root / "store").items() if not any(each in f"/{key}" for each in ignored)}
    return store, contents(root / "things"), Cloud(root).calls()


@pytest.mark.parametrize(
    "moment",
    [
        "after lease taken",
        "after journal begin create app/net/default",
        "after call create app/service/db",
    ],
)
def test_one_that_slept_past_its_deadline_does_nothing_more(tmp_path: Path, moment: str) -> None:
    root = tmp_path / "cloud"
    root.mkdir()
    (root / "stop").write_text(moment)
    sleeper = begin(root, "first")
    wait_for((root / "stopped").exists, sleeper)
    try:
        other = begin(root, "second")
        said = other.communicate(timeout=60)[0]
        assert other.returncode == 0, said
        assert said.startswith("epoch 2: succeeded")
        before = world(root)
        os.kill(sleeper.pid, signal.SIGCONT)
        said = sleeper.communicate(timeout=60)[0]
    finally:
        sleeper.kill()
    assert (sleeper.returncode, said.partition(":")[0]) == (8, "LeaseLostError"), said
    assert world(root) == before
    things = Cloud(root).things().values()
    assert Counter(thing["urn"] for thing in things).most_common(1)[0][1] == 1
    assert len(things) == RESOURCES
    assert Counter(Cloud(root).calls()).most_common(1)[0][1] == 1
    assert asyncio.run(deploy(root, "third")) == "epoch 3: succeeded, 0 steps"
    assert json.loads((root / f"store/projects/{PROJECT}/lease").read_text().splitlines()[0])["epoch"] == 3


def test_of_two_at_once_one_goes_first_and_the_other_finds_nothing_to_do(tmp_path: Path) -> None:
    root = tmp_path / "cloud"
    root.mkdir()
    both = [begin(root, "one", LONG), begin(root, "two", LONG)]
    said = sorted(each.communicate(timeout=60)[0] for each in both)
    assert [each.split(":")[0] for each in said] == ["epoch 1", "epoch 2"]
    assert ["succeeded, 20 steps" in said[0], "succeeded, 0 steps" in said[1]] == [True, True]
    assert len(Cloud(root).things()) == RESOURCES

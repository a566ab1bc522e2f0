"""Real disks that are full or read-only (small tmpfs mounts, so root is needed): clear errors, nothing lost, and on it goes."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from defang_nb.build import archive, manifest
from defang_nb.build.context import MIB
from defang_nb.errors import BuildError, ProviderError
from defang_nb.model.events import Outcome
from tests.crash.matrix import FIRST, NOTHING, Lane, Tally, prepared
from tests.e2e.dockerd import without

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root"),
]


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def lane() -> Iterator[Lane]:
    """A stack whose store is a disk of its own; its cloud is elsewhere."""
    with prepared() as folder:
        store = folder / "lane0" / "store"
        store.mkdir(parents=True)
        try:
            mount("-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(store))
        except (OSError, subprocess.CalledProcessError):
            without("no small disk: mounting one takes root, and more than most containers may (CAP_SYS_ADMIN)")
        it = Lane(folder, "lane0")
        yield it
        it.end()
        subprocess.run(["umount", str(store)], check=True)


def fill(store: Path, free: int) -> Path:
    """Leave so many KiB."""
    found = os.statvfs(store)
    path = store / ".fill"
    path.write_bytes(b"x" * max(0, found.f_bavail * found.f_frsize - free * 1024))
    return path


def test_a_disk_that_gets_full_in_the_middle(lane: Lane) -> None:
    store = lane.root / "store"
    ended = []
    for free in (0, 8, 24, 48, 80, 120, 200):
        lane.bring(NOTHING)
        (lane.root / "calls").unlink(missing_ok=True)
        filler = fill(store, free)
        deployment = lane.deploy(FIRST)
        filler.unlink()
        if deployment.outcome is not Outcome.SUCCEEDED:
            ended.append(free)
            assert "No space left on device" in deployment.view.message, deployment.view.message
            assert "make room on the disk" in deployment.view.hint
            assert deployment._failure().exit_code == ProviderError.exit_code
        lane.bring(FIRST)
        tally = Tally()
        once = Counter(f"create {thing['urn']}" for thing in lane.cloud.things().values())
        lane._judge(f"{free} KiB", once, tally)
        assert tally.faults == []
        assert len(lane.cloud.things()) == 20
        assert lane.deploy(FIRST).view.message == "nothing to change"
    assert len(ended) >= 3, "the disk was never full: nothing was tested"


def test_an_archive_that_finds_no_room(lane: Lane, tmp_path: Path) -> None:
    (tmp_path / "random.bin").write_bytes(os.urandom(2 * MIB))
    place = lane.root / "store" / "archives"
    place.mkdir()
    fill(lane.root / "store", 1024)
    with pytest.raises(BuildError, match=f"can't pack {tmp_path} into {place}: No space left on device") as caught:
        archive(manifest(tmp_path), place / "a.tar.gz")
    assert "make room there, or name another folder in TMPDIR" in caught.value.hint
    assert list(place.iterdir()) == []


def test_a_store_that_becomes_read_only(lane: Lane) -> None:
    store = str(lane.root / "store")
    lane.bring(FIRST)
    mount("-o", "remount,ro", store)
    deployment = lane.deploy(NOTHING)
    assert deployment.outcome is Outcome.FAILED
    assert "Read-only file system" in deployment.view.message
    assert "writable" in deployment.view.hint
    assert len(lane.cloud.things()) == 20
    mount("-o", "remount,rw", store)
    lane.bring(NOTHING)
    assert lane.cloud.things() == {}

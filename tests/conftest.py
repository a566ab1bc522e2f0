"""What every integration test stands on: a local stack in a folder of its own, of which nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import Phase, settings

from defang_nb.model.stack import LOCAL
from defang_nb.providers.local.paths import StackPaths

os.environ["DEFANG_ENGINE"] = "process"  # whatever else this machine has; tests of containers say so
_PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)  # which traces every line, and takes long
settings.register_profile("test", deadline=None, derandomize=True, phases=_PHASES)
settings.register_profile("fuzz", deadline=None, max_examples=10_000, phases=_PHASES, print_blob=True)
settings.load_profile("test")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A `DEFANG_NB_HOME` of its own, whose cd ends soon when idle. What still runs for it afterwards is ended."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DEFANG_NB_HOME", str(folder))
    monkeypatch.setenv("DEFANG_CD_IDLE", "2")
    sockets = StackPaths.of(LOCAL.name).sockets
    try:
        yield folder
    finally:
        end_all(folder)
        shutil.rmtree(sockets, ignore_errors=True)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process but this one that was started for `folder`: by its arguments, its working folder or its environment."""
    found = []
    own = psutil.Process()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            text = str(folder)
            belongs = (
                any(text in argument for argument in process.cmdline())
                or process.cwd().startswith(text)
                or process.environ().get("DEFANG_NB_HOME") == text
            )
            if belongs and process != own:
                found.append(process)
    return found


def end_all(folder: Path) -> None:
    """Managers first, so that nothing is started again behind us: those lead their session. Politely, then not."""
    for patience in (10.0, 3.0):
        left = processes_of(folder)
        for process in sorted(left, key=lambda each: each.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate() if patience > 5 else process.kill()
        psutil.wait_procs(left, timeout=patience)

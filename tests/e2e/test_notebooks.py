"""Every cell of the committed notebooks runs (nbval, which compares nothing as they are committed without outputs)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Stack

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", ["quickstart", "tour", "your-own-app"])
def test_every_cell_runs(name: str, stack: Stack) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "--nbval-cell-timeout=300", "-p", "no:randomly"]
    command += ["-p", "no:cacheprovider", "-W", "default", "-m", "", f"notebooks/{name}.ipynb"]
    done = subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr

"""axe-core looks for what people with screen readers or keyboards can't use; fetched by npm, for these tests only."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.e2e.packages import install

PACKAGE = "axe-core@4.10.3"
SERIOUS = ("serious", "critical")


@cache
def script() -> str:
    install("npm", program="npm")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, timeout=120)
        packed = next(Path(folder).glob("*.tgz")).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        found = files.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


def serious(page: Page, within: str = "body") -> list[str]:
    """What it finds that is serious, inside of what the selector names: rule, element, why."""
    page.evaluate(script())
    found: dict[str, Any] = page.evaluate("where => axe.run({include: [[where]]})", within)
    return [
        f"{each['id']}: {node['html']}: {node.get('failureSummary', '')}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]

"""A cell of marimo that waits for a deployment shows how it goes on, since marimo has no magics. Nothing of it is imported."""

from __future__ import annotations

import concurrent.futures
import math
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment

PAUSE = 0.5
"""Seconds between two replacements of the cell's output."""


def wait(over: concurrent.futures.Future[None], deployment: Deployment, timeout: float | None = None) -> None:
    """`over.result(timeout)`. Where a cell of marimo waits, its output is the deployment meanwhile, and then its end."""
    output = _output()
    if output is None:
        over.result(timeout)
        return
    end = math.inf if timeout is None else time.monotonic() + timeout
    try:
        while not over.done() and (left := end - time.monotonic()) > 0:
            output.replace(deployment)  # here, since marimo takes nothing from threads of ours
            concurrent.futures.wait([over], min(PAUSE, left))
    except KeyboardInterrupt:
        named = f'("{deployment.id}")'
        sys.stdout.write(
            f"deployment {deployment.id} goes on\ndefang_nb.attach{named}.wait() shows it, defang_nb.cancel{named} ends it\n"
        )
        raise
    output.replace(deployment)
    over.result(0)


def _output() -> Any:
    """What writes into the cell that this thread runs; None where it runs none of marimo's."""
    marimo = sys.modules.get("marimo")
    return marimo.output if marimo and marimo.running_in_notebook() else None

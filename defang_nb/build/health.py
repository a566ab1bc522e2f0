"""HEALTHCHECK of a Dockerfile as the model's `Healthcheck`."""

from __future__ import annotations

import re

from defang_nb.build.dockerfile import Instruction, exec_form
from defang_nb.model.project import Healthcheck

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def healthcheck_of(instruction: Instruction) -> Healthcheck:
    """Its test with CMD or CMD-SHELL before it, its durations in seconds (Go's notation: `1m30s`)."""
    text = instruction.text.strip()
    if text.upper() == "NONE":
        return Healthcheck(disable=True)
    command = re.sub(r"^CMD\s+", "", text, flags=re.IGNORECASE)
    words = exec_form(command)
    defaults = Healthcheck()
    return Healthcheck(
        test=("CMD", *words) if words is not None else ("CMD-SHELL", command),
        interval=seconds(instruction.flag("interval"), defaults.interval),
        timeout=seconds(instruction.flag("timeout"), defaults.timeout),
        retries=int(instruction.flag("retries")) if instruction.flag("retries").isdecimal() else defaults.retries,
        start_period=seconds(instruction.flag("start-period"), defaults.start_period),
        start_interval=seconds(instruction.flag("start-interval"), defaults.start_interval),
    )


def seconds(text: str, default: float) -> float:
    """A duration such as `1m30s`; `default` for "" and for what is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else default

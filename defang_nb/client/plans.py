"""Saved plans: what a preview found, to be agreed to now and done later, as it is or not at all."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from defang_nb.errors import UsageError
from defang_nb.model.plan import Plan
from defang_nb.model.view import DeploymentView


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """As it stands in its file. `made` is epoch seconds. Values of secrets are in no plan, only their names."""

    project: str
    stack: str
    deployment: str
    made: float
    plan: Plan
    format: int = 1


def save_plan(view: DeploymentView, file: str | Path) -> Path:
    """Write the plan of a preview. Raises `UsageError` when it has none, or the file can't be written."""
    if view.plan is None:
        raise UsageError("there is no plan to save", hint="`preview --out FILE` makes one and saves it")
    saved = SavedPlan(project=view.project, stack=view.stack, deployment=view.id, made=time.time(), plan=view.plan)
    path = Path(file).expanduser()
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n")
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}") from None
    return path


def read_plan(file: str | Path, *, project: str, stack: str) -> Plan:
    """Raises `UsageError` for what is no saved plan, or one of another project or stack."""
    try:
        saved = msgspec.json.decode(Path(file).expanduser().read_bytes(), type=SavedPlan)
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}", hint="`preview --out FILE` saves a plan") from None
    except msgspec.DecodeError:
        raise UsageError(f"{file} is no saved plan", hint="`preview --out FILE` saves one") from None
    if (saved.project, saved.stack) != (project, stack):
        raise UsageError(
            f"{file} is a plan of {saved.project} on {saved.stack}, and this is {project} on {stack}",
            hint="give the Compose file and the stack that it was made for",
        )
    return saved.plan

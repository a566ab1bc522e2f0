"""What a project would cost, without an account."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from defang_nb.client import begin
from defang_nb.client.begin import Inputs
from defang_nb.client.checked import Checked, refuse
from defang_nb.client.stack_files import MODE, REGION, checked
from defang_nb.client.workspace import Workspace
from defang_nb.errors import DefangError

if TYPE_CHECKING:
    from defang_nb.model.project import Project
    from defang_nb.model.stack import Stack
    from defang_nb.providers.aws.estimate import Estimate


def estimate(inputs: Inputs, *, mode: str | None = None, region: str | None = None) -> Estimate:
    """Monthly, on AWS: with the stack's mode and region where none are named (a local stack: affordable, us-east-1).

    Raises `ComposeError`, `UnsupportedError`; `UsageError` for a mode, or a region without prices.
    """
    from defang_nb.providers.aws import modes
    from defang_nb.providers.aws.estimate import estimate

    checked("aws", None, mode)
    stack = inputs.place()
    name, there = _place(stack, mode, region)
    settings = {**stack.settings, MODE: name, REGION: there}
    workspace = Workspace(msgspec.structs.replace(stack, provider="aws", settings=settings))
    loaded = begin.load_project(workspace, inputs)
    found = (*loaded.diagnostics, *workspace.provider.check(loaded.project))
    refuse(Checked(project=loaded.project, canonical=loaded.canonical, diagnostics=found), loaded.quoted)
    return estimate(loaded.project, modes.mode_of({MODE: name}), mode_name=name, region=there)


def known_for(stack: Stack) -> bool:
    """Whether there is a price list for where it deploys to."""
    return stack.provider == "aws"


def monthly(stack: Stack, project: Project) -> float | None:
    """What a project that is deployed to `stack` costs in a month, in US dollars; None where the list has no prices for it."""
    from defang_nb.providers.aws import modes
    from defang_nb.providers.aws.estimate import estimate

    name, there = _place(stack, None, None)
    try:
        return estimate(project, modes.mode_of({MODE: name}), mode_name=name, region=there).monthly
    except DefangError:
        return None


def _place(stack: Stack, mode: str | None, region: str | None) -> tuple[str, str]:
    """The mode and the region that are meant."""
    from defang_nb.providers.aws import modes
    from defang_nb.providers.aws.estimate import DEFAULT_REGION

    said = stack.settings
    there = region or said.get(REGION) or os.environ.get(REGION) or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    return (mode or said.get(MODE) or modes.DEFAULT).lower(), there

"""Other numbers of replicas for what is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from defang_nb.client import past
from defang_nb.client.deployment import Deployment
from defang_nb.client.place import project_of, workspace_of


def start_scale(
    replicas: Mapping[str, int], *, project: str | None = None, stack: str | None = None, working_dir: str | Path | None = None
) -> Deployment:
    """Start deploying what is deployed again with other numbers of replicas (service → number). The next `up` decides anew.

    Raises `NotFoundError`, `UsageError`, and what `start_up` raises of a project.
    """
    workspace = workspace_of(stack, working_dir)
    return past.start_scale(workspace, project_of(workspace, project, working_dir), replicas)

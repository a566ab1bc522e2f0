"""What of a build can't be done (errors) or is left out (warnings) without a container engine; known before anything starts."""

from __future__ import annotations

from pathlib import Path

from defang_nb.model.project import Project, Service
from defang_nb.model.source import Diagnostic


def check(project: Project, service: Service, context: Path, dockerfile: str) -> list[Diagnostic]:
    """Findings about `service.build` with that context folder and Dockerfile (relative to it; "": detect). It only reads."""
    raise NotImplementedError

"""Which of the engine's builders to use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from defang_nb.providers.local.docker.builders.buildkit import BuildKit
from defang_nb.providers.local.docker.builders.classic import Classic
from defang_nb.providers.local.docker.builders.port import Builder
from defang_nb.providers.local.docker.builders.stream import Connect

_BUILDKIT = (1, 39)
"""The API version since which BuildKit is no experiment (Docker 18.09)."""


def engine_builder(connect: Connect, version: Mapping[str, Any]) -> Builder:
    """BuildKit where the engine has it, else the classic builder. `version`: what the engine's GET /version answers."""
    components = {str(each.get("Name", "")) for each in version.get("Components") or []}
    podman = any("podman" in each.lower() for each in components)
    number = tuple(int(each) for each in str(version.get("ApiVersion", "0")).split(".") if each.isdigit())
    if podman or number < _BUILDKIT or str(version.get("Os", "linux")) == "windows":
        return Classic(connect)
    return BuildKit(connect)

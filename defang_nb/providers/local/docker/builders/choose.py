"""Which builder a stack uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from defang_nb.build.kaniko import IMAGE
from defang_nb.errors import UsageError
from defang_nb.providers.local.docker.builders.buildkit import BuildKit
from defang_nb.providers.local.docker.builders.classic import Classic
from defang_nb.providers.local.docker.builders.kaniko import IMAGE_SETTING, Kaniko
from defang_nb.providers.local.docker.builders.port import Builder
from defang_nb.providers.local.docker.builders.registry import registry_of
from defang_nb.providers.local.docker.builders.stream import Connect

BUILDER = "DEFANG_BUILDER"
"""The setting: `engine` (where nothing is said) or `kaniko`."""

_BUILDKIT = (1, 39)
"""The API version since which BuildKit is no experiment (Docker 18.09)."""

Builders = Callable[[Mapping[str, str]], Builder]
"""Makes a builder whose images carry these labels."""


def builders(connect: Connect, settings: Mapping[str, str], version: Callable[[], Mapping[str, Any]]) -> Builders:
    """The builder that the stack's settings ask for. `version` gives what the engine's GET /version answers.

    Raises `UsageError` for a builder that there is not, and for Kaniko without a registry.
    """
    match settings.get(BUILDER, "").strip().lower():
        case "" | "engine":
            return lambda marks: engine_builder(connect, version(), marks)
        case "kaniko":
            registry = registry_of(settings)
            image = settings.get(IMAGE_SETTING, "") or IMAGE
            return lambda marks: Kaniko(connect, registry, marks, image=image)
        case other:
            raise UsageError(f"there is no builder {other!r}", hint=f"{BUILDER} is engine or kaniko")


def engine_builder(connect: Connect, version: Mapping[str, Any], marks: Mapping[str, str] | None = None) -> Builder:
    """BuildKit where the engine has it, else the classic builder."""
    components = {str(each.get("Name", "")) for each in version.get("Components") or []}
    podman = any("podman" in each.lower() for each in components)
    number = tuple(int(each) for each in str(version.get("ApiVersion", "0")).split(".") if each.isdigit())
    if podman or number < _BUILDKIT or str(version.get("Os", "linux")) == "windows":
        return Classic(connect, marks)
    return BuildKit(connect, marks)

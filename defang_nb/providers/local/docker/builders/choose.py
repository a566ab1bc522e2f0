"""Which builder a stack uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from defang_nb.build.kaniko import IMAGE
from defang_nb.providers.local.docker.builders.buildkit import BuildKit
from defang_nb.providers.local.docker.builders.classic import Classic
from defang_nb.providers.local.docker.builders.kaniko import IMAGE_SETTING, Kaniko
from defang_nb.providers.local.docker.builders.older import FIRST_WITH_HEREDOCS
from defang_nb.providers.local.docker.builders.port import Builder
from defang_nb.providers.local.docker.builders.registry import registry_of
from defang_nb.providers.local.docker.builders.setting import KANIKO, check, wanted
from defang_nb.providers.local.docker.builders.stream import Connect

_BUILDKIT = (1, 39)
"""The API version since which BuildKit is no experiment (Docker 18.09)."""

Builders = Callable[[Mapping[str, str]], Builder]
"""Makes a builder whose images carry these labels."""


def builders(connect: Connect, settings: Mapping[str, str], version: Callable[[], Mapping[str, Any]]) -> Builders:
    """The builder that the stack's settings ask for. `version` gives what the engine's GET /version answers.

    The function that this gives asks the engine, and raises `UsageError` as `check` does.
    """

    def make(marks: Mapping[str, str]) -> Builder:
        check(settings)
        if wanted(settings) == KANIKO:
            return Kaniko(connect, registry_of(settings), marks, image=settings.get(IMAGE_SETTING, "") or IMAGE)
        return engine_builder(connect, version(), marks)

    return make


def engine_builder(connect: Connect, version: Mapping[str, Any], marks: Mapping[str, str] | None = None) -> Builder:
    """BuildKit where the engine has it, else the classic builder."""
    components = {str(each.get("Name", "")) for each in version.get("Components") or []}
    podman = any("podman" in each.lower() for each in components)
    number = tuple(int(each) for each in str(version.get("ApiVersion", "0")).split(".") if each.isdigit())
    if podman or number < _BUILDKIT or str(version.get("Os", "linux")) == "windows":
        return Classic(connect, marks, older=not podman)
    return BuildKit(connect, marks, older=number < FIRST_WITH_HEREDOCS)

"""Which builder a stack's settings ask for. Imports nothing that builds: every `up` asks."""

from __future__ import annotations

from collections.abc import Mapping

from defang_nb.errors import UsageError
from defang_nb.providers.local.docker.builders.registry import registry_of

BUILDER = "DEFANG_BUILDER"
ENGINE, KANIKO = "engine", "kaniko"


def wanted(settings: Mapping[str, str]) -> str:
    return settings.get(BUILDER, "").strip().lower() or ENGINE


def check(settings: Mapping[str, str]) -> None:
    """Raises `UsageError` for a builder that there is not, and for Kaniko without a registry."""
    match wanted(settings):
        case "engine":
            pass
        case "kaniko":
            registry_of(settings)
        case other:
            raise UsageError(f"there is no builder {other!r}", hint=f"{BUILDER} is engine or kaniko")

"""Which provider serves a stack. Each is imported only when a stack asks for it."""

from __future__ import annotations

from defang_nb.errors import UsageError
from defang_nb.model.stack import Stack
from defang_nb.providers.base import Provider

PROVIDERS = ("local",)


def provider_for(stack: Stack) -> Provider:
    """Raises `UsageError` for a provider that does not exist (yet)."""
    match stack.provider:
        case "local":
            from defang_nb.providers.local.provider import LocalProvider

            return LocalProvider(stack)
        case other:
            raise UsageError(
                f"stack {stack.name!r} asks for the provider {other!r}, which this version does not have",
                hint=f"providers: {', '.join(PROVIDERS)}",
            )

"""Which provider serves a stack. Each is imported only when a stack asks for it.

Others than our own come from installed packages: an entry point of the group `defang_nb.providers`, named as stacks name it in
`DEFANG_PROVIDER`, that is called with the `Stack` and gives a `Provider`.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from defang_nb.errors import UsageError
from defang_nb.model.stack import Stack
from defang_nb.providers.base import Provider

PROVIDERS = ("local", "aws")
GROUP = "defang_nb.providers"


def provider_names() -> tuple[str, ...]:
    """Our own, then those of installed packages."""
    return (*PROVIDERS, *sorted(each.name for each in entry_points(group=GROUP)))


def provider_for(stack: Stack) -> Provider:
    """Raises `UsageError` for a provider that does not exist (yet)."""
    if stack.provider == "local":
        from defang_nb.providers.local.provider import LocalProvider

        return LocalProvider(stack)
    if stack.provider == "aws":
        from defang_nb.providers.aws.provider import AwsProvider

        return AwsProvider(stack)
    others = {each.name: each for each in entry_points(group=GROUP)}
    if stack.provider in others:
        found: Provider = others[stack.provider].load()(stack)
        return found
    raise UsageError(
        f"stack {stack.name!r} asks for the provider {stack.provider!r}, which this version does not have",
        hint=f"providers: {', '.join((*PROVIDERS, *sorted(others)))}",
    )

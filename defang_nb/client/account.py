"""The preparation of a stack's account: looked at, made, taken away. What `up` does by itself, for whoever wants it apart."""

from __future__ import annotations

from defang_nb.client import loop
from defang_nb.client.workspace import Workspace
from defang_nb.errors import UsageError
from defang_nb.providers.base import Bootstrap, Bootstrapped, Say


def status(workspace: Workspace) -> Bootstrap:
    """Raises `UsageError` for a stack that needs none; `ProviderError`."""
    return loop.run(_of(workspace).bootstrap())


def install(workspace: Workspace, say: Say) -> Bootstrap:
    """Until it is there, current and whole. Raises as `status` does."""
    loop.run(_of(workspace).install(say))
    return status(workspace)


def teardown(workspace: Workspace, say: Say) -> str:
    """What stays on purpose, in words. Raises as `status` does; `UsageError` while anything is deployed."""
    if status(workspace).current:
        loop.run(workspace.provider.stop_cd())
    return loop.run(_of(workspace).teardown(say))


def _of(workspace: Workspace) -> Bootstrapped:
    if isinstance(workspace.provider, Bootstrapped):
        return workspace.provider
    stack = workspace.stack
    raise UsageError(
        f"the stack {stack.name} ({stack.provider}) needs no preparation", hint="name a stack of a cloud: --stack NAME"
    )

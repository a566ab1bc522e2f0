"""Put a Compose application on a cloud, or live on this machine, from a notebook, the command line or Python.

    import defang_nb
    deployment = defang_nb.up("compose.yaml")
    deployment.wait().endpoints

Everything here is loaded when it is first used: importing this package alone costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from defang_nb.version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from defang_nb.client.api import (
        attach,
        cancel,
        config_ls,
        config_rm,
        config_set,
        deployment,
        deployments,
        down,
        execute,
        logs,
        preview,
        ps,
        refresh,
        restart,
        rollback,
        stats,
        up,
    )
    from defang_nb.client.deployment import Deployment
    from defang_nb.client.serving import serve
    from defang_nb.notebook.dashboard import Dashboard

_API = (
    "attach", "cancel", "config_ls", "config_rm", "config_set", "deployment", "deployments", "down", "execute", "logs",
    "preview", "ps", "refresh", "restart", "rollback", "stats", "up",
)  # fmt: skip

__all__ = [
    "Dashboard",
    "Deployment",
    "__version__",
    "attach",
    "cancel",
    "config_ls",
    "config_rm",
    "config_set",
    "deployment",
    "deployments",
    "down",
    "execute",
    "logs",
    "preview",
    "ps",
    "refresh",
    "restart",
    "rollback",
    "serve",
    "stats",
    "up",
]


def __getattr__(name: str) -> Any:
    if name in _API:
        from defang_nb.client import api

        return getattr(api, name)
    if name == "serve":
        from defang_nb.client.serving import serve

        return serve
    if name == "Dashboard":
        from defang_nb.notebook.dashboard import Dashboard

        return Dashboard
    if name == "Deployment":
        from defang_nb.client.deployment import Deployment

        return Deployment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext defang_nb`."""
    from defang_nb.notebook.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext defang_nb`."""
    from defang_nb.notebook.extension import unload

    unload(shell)

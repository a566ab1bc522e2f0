"""`serve`: a function as an API, from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defang_nb.client import api
from defang_nb.providers.local.paths import home

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment


def serve(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    requirements: Sequence[str] = (),
    include: Sequence[str] = (),
    port: int = 0,
    stack: str = "local",
    detach: bool = False,
    dry_run: bool = False,
    yes: bool = False,
) -> Deployment:
    """Take a function live as an API: POST its arguments as a JSON object, get what it returns as JSON.

    It goes with everything that it uses: helpers and objects of the notebook (a fitted model) by value, modules beside the
    notebook as files, packages in the versions installed here. `name` (default: the function's) is the project's and the
    service's; `requirements` are more packages or files of them, `include` more files, as patterns. Objects that hold secrets
    travel too: read secrets from `os.environ` inside the function instead.

    Raises `UsageError` for what can't be served, and what `up` raises.
    """
    from defang_nb.scaffold.app import Wish, write_app
    from defang_nb.scaffold.function import function_app

    called = name or getattr(function, "__name__", "").strip("_").lower().replace("_", "-")
    app = function_app(function, Wish(called, requirements=requirements, include=include, port=port), Path.cwd())
    folder = home() / "apps" / called / called
    write_app(app, folder)
    return api.up(
        text=app.compose(folder), name=f"serve({called})", project=called, stack=stack, detach=detach, dry_run=dry_run, yes=yes
    )

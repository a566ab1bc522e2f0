"""The sync facade: what `import defang_nb`, the command line and the notebook call.

Every function blocks its caller and may be interrupted; the work itself runs on the engine's own thread. `start_up`,
`start_down` and `attach` give a `Deployment` at once, to be rendered while it goes on; `up`, `down` and `preview` wait for it.
All raise `DefangError`s only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from defang_nb.client import loop
from defang_nb.client.deployment import Deployment
from defang_nb.client.workspace import Checked, Inputs, Options, Workspace, parse_time

if TYPE_CHECKING:
    from defang_nb.model.events import DeploymentSummary
    from defang_nb.model.status import LogRecord, ServiceStatus

__all__ = [
    "Checked",
    "attach",
    "cancel",
    "check",
    "config_ls",
    "config_rm",
    "config_set",
    "deployments",
    "down",
    "logs",
    "preview",
    "ps",
    "start_down",
    "start_up",
    "up",
]

Files = Sequence[str | Path]


def check(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str = "local",
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
) -> Checked:
    """Load the project and ask the provider what it makes of it, touching nothing.

    Raises `ComposeError` when the text can't be loaded. What the provider can't run is among the diagnostics (as errors), and
    unset configuration in `missing`: neither is raised here.
    """


def start_up(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str = "local",
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
    build: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    wait_timeout: float | None = None,
) -> Deployment:
    """Load and check the project, then start its deployment and return at once; uploads go on in the background.

    `compose` (or `files`, in order of precedence) names Compose files; `text` is Compose text, called `name` in diagnostics.
    With none of them, the usual file names are looked for in `working_dir` (default: here) and its parents. `build` builds
    images even where they exist; `dry_run` ends with the plan; `yes` allows deleting what is protected; `wait_timeout` is in
    seconds for the whole deployment.

    Raises, before anything was touched: `ComposeError`, `UnsupportedError`, `ConfigMissingError`, `BuildError`. What goes wrong
    later (the upload, cd, the deployment) is raised by `Deployment.wait`.
    """


def up(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str = "local",
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
    build: bool = False,
    dry_run: bool = False,
    detach: bool = False,
    yes: bool = False,
    wait_timeout: float | None = None,
) -> Deployment:
    """`start_up`, then wait until it is live (or, with `detach`, until cd has taken it over).

    A KeyboardInterrupt detaches: the deployment goes on. Raises `DeploymentFailedError` when it ends badly.
    """


def preview(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str = "local",
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
    build: bool = False,
) -> Deployment:
    """What `up` would do: the same plan (`.view.plan`), with nothing changed."""


def start_down(
    project: str | None = None, *, stack: str = "local", dry_run: bool = False, yes: bool = False,
    working_dir: str | Path | None = None, wait_timeout: float | None = None,
) -> Deployment:  # fmt: skip
    """Start taking everything of the project down; protected resources (data) only with `yes`."""


def down(
    project: str | None = None, *, stack: str = "local", dry_run: bool = False, yes: bool = False, detach: bool = False,
    working_dir: str | Path | None = None, wait_timeout: float | None = None,
) -> Deployment:  # fmt: skip
    """`start_down`, then wait until all is gone."""


def attach(deployment: str = "latest", *, project: str | None = None, stack: str = "local") -> Deployment:
    """A deployment by its id (or a unique beginning of it), with its whole history, followed if it goes on.

    Raises `NotFoundError`.
    """


def cancel(deployment: str = "latest", *, project: str | None = None, stack: str = "local") -> Deployment:
    """Ask cd to end a running deployment; `.wait(check=False)` waits until it did. Raises `NotFoundError`."""


def deployments(project: str | None = None, *, stack: str = "local", limit: int = 20) -> list[DeploymentSummary]:
    """The latest deployments of the stack (or of one project), newest first."""


def ps(project: str | None = None, *, stack: str = "local") -> list[ServiceStatus]:
    """What runs now, of one project or of all that the stack knows."""


def logs(
    services: str | Sequence[str] = (), *, project: str | None = None, stack: str = "local", follow: bool = False,
    since: float | str | None = None, until: float | str | None = None, tail: int | None = None,
    working_dir: str | Path | None = None,
) -> Iterator[LogRecord]:  # fmt: skip
    """Lines that services wrote, in order of time. Times are epoch seconds, ISO 8601, or an age such as `10m`."""


def config_set(
    key: str, value: str | None = None, *, file: str | Path | None = None, random: bool = False, project: str | None = None,
    stack: str = "local", working_dir: str | Path | None = None,
) -> None:  # fmt: skip
    """Set a configuration value (secret) from exactly one of `value`, the content of `file`, or `random` (32 characters)."""


def config_ls(project: str | None = None, *, stack: str = "local", working_dir: str | Path | None = None) -> list[str]:
    """The names of the configuration values that are set. Their values are never shown."""


def config_rm(
    key: str, *, project: str | None = None, stack: str = "local", working_dir: str | Path | None = None
) -> None:
    """Remove a configuration value. Raises `NotFoundError` when there is none."""

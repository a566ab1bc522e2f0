"""The sync facade: what `import defang_nb`, the command line and the notebook call.

Every function blocks its caller and may be interrupted; the work itself runs on the engine's own thread. `start_up`,
`start_down` and `attach` give a `Deployment` at once, to be rendered while it goes on; `up`, `down` and `preview` wait for it.
All raise `DefangError`s only.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from defang_nb.client import again, begin, costs, loop, past
from defang_nb.client.begin import Files, Inputs
from defang_nb.client.checked import Checked
from defang_nb.client.control import execute, restart, start_exec, stats
from defang_nb.client.deployment import Deployment
from defang_nb.client.overview import overview
from defang_nb.client.place import project_of as _project
from defang_nb.client.place import workspace_of as _workspace
from defang_nb.client.plans import save_plan
from defang_nb.client.reading import read_logs
from defang_nb.client.scaling import start_scale
from defang_nb.client.stack_files import stack_default, stack_ls, stack_new, stack_rm, stack_show
from defang_nb.client.who import whoami
from defang_nb.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from defang_nb.client.orphans import Orphan
    from defang_nb.model.events import DeploymentSummary
    from defang_nb.model.past import PastDeployment
    from defang_nb.model.status import LogRecord, ServiceStatus
    from defang_nb.providers.aws.estimate import Estimate

__all__ = [
    "Checked", "attach", "cancel", "check", "config_ls", "config_rm", "config_set", "deployment", "deployments", "down",
    "estimate", "execute", "logs", "orphans", "overview", "preview", "ps", "refresh", "restart", "rollback", "save_plan",
    "stack_default", "stack_ls", "stack_new", "stack_rm", "stack_show", "start_down", "start_exec", "start_orphan_removal",
    "start_refresh", "start_repair", "start_rollback", "start_scale", "start_up", "stats", "up", "whoami",
]  # fmt: skip
_LETTERS = string.ascii_letters + string.digits


def check(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str | None = None,
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
    engine: str | None = None,
    builder: str | None = None,
) -> Checked:
    """Load the project and ask the provider what it makes of it, touching nothing.

    Raises `ComposeError` when the text can't be loaded. What the provider can't run is among the diagnostics (as errors), and
    unset configuration in `missing`: neither is raised here.
    """
    inputs = Inputs(
        compose, files, text=text, name=name, project=project, stack=stack, services=services, profiles=profiles,
        env_files=env_files, working_dir=working_dir, engine=engine, builder=builder,
    )  # fmt: skip
    return begin.check(inputs)


def estimate(
    compose: str | Path | None = None, *, files: Files = (), text: str | None = None, name: str | None = None,
    project: str | None = None, stack: str | None = None, mode: str | None = None, region: str | None = None,
    working_dir: str | Path | None = None,
) -> Estimate:  # fmt: skip
    """What it would cost in a month on AWS, from the price list that comes with this version. Needs no account."""
    inputs = Inputs(compose, files, text=text, name=name, project=project, stack=stack, working_dir=working_dir)
    return costs.estimate(inputs, mode=mode, region=region)


def start_up(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str | None = None,
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
    engine: str | None = None,
    builder: str | None = None,
    build: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    wait_timeout: float | None = None,
    lease_wait: float = 0.0,
    plan: str | Path | None = None,
    leave_out: str | Path | None = None,
) -> Deployment:
    """Load and check the project, then start its deployment and return at once; uploads go on in the background.

    `compose` (or `files`, in order of precedence) names Compose files; `text` is Compose text, called `name` in diagnostics.
    With none of them, the usual file names are looked for in `working_dir` (default: here) and its parents. `build` builds
    images even where they exist; `dry_run` ends with the plan; `yes` allows deleting what is protected; `wait_timeout` is in
    seconds for the whole deployment, `lease_wait` those to wait while another one of the project goes on. `plan` is a file that
    `save_plan` wrote: only that plan is carried out. It is no part of build contexts, nor is the file `leave_out`.
    `engine` (`docker`, `process`) and `builder` (`engine`, `kaniko`) are the local provider's: what runs services, and what
    builds their images.

    Raises, before anything was touched: `ComposeError`, `UnsupportedError`, `ConfigMissingError`, `BuildError`. What goes wrong
    later (the upload, cd, the deployment) is raised by `Deployment.wait`.
    """
    inputs = Inputs(
        compose, files, text=text, name=name, project=project, stack=stack, services=services, profiles=profiles,
        env_files=env_files, working_dir=working_dir, engine=engine, builder=builder,
    )  # fmt: skip
    return begin.start_up(
        inputs, build=build, dry_run=dry_run, yes=yes, wait_timeout=wait_timeout, lease_wait=lease_wait, plan=plan,
        leave_out=leave_out,
    )  # fmt: skip


def up(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str | None = None,
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
    engine: str | None = None,
    builder: str | None = None,
    build: bool = False,
    dry_run: bool = False,
    detach: bool = False,
    yes: bool = False,
    wait_timeout: float | None = None,
    lease_wait: float = 0.0,
    plan: str | Path | None = None,
) -> Deployment:
    """`start_up`, then wait until it is live (or, with `detach`, until cd has taken it over).

    A KeyboardInterrupt detaches: the deployment goes on. Raises `DeploymentFailedError` when it ends badly.
    """
    deployment = start_up(
        compose, files=files, text=text, name=name, project=project, stack=stack, services=services, profiles=profiles,
        env_files=env_files, working_dir=working_dir, engine=engine, builder=builder, build=build, dry_run=dry_run, yes=yes,
        wait_timeout=wait_timeout, lease_wait=lease_wait, plan=plan,
    )  # fmt: skip
    return deployment.wait_accepted() if detach else deployment.wait()


def preview(
    compose: str | Path | None = None,
    *,
    files: Files = (),
    text: str | None = None,
    name: str | None = None,
    project: str | None = None,
    stack: str | None = None,
    services: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Files = (),
    working_dir: str | Path | None = None,
    engine: str | None = None,
    builder: str | None = None,
    build: bool = False,
) -> Deployment:
    """What `up` would do: the same plan (`.view.plan`), with nothing changed."""
    return up(
        compose, files=files, text=text, name=name, project=project, stack=stack, services=services, profiles=profiles,
        env_files=env_files, working_dir=working_dir, engine=engine, builder=builder, build=build, dry_run=True,
    )  # fmt: skip


def start_down(
    project: str | None = None, *, stack: str | None = None, dry_run: bool = False, yes: bool = False,
    working_dir: str | Path | None = None, wait_timeout: float | None = None, lease_wait: float = 0.0,
) -> Deployment:  # fmt: skip
    """Start taking everything of the project down; protected resources (data) only with `yes`."""
    workspace = _workspace(stack, working_dir)
    project = _project(workspace, project, working_dir)
    return begin.start_down(workspace, project, dry_run=dry_run, yes=yes, wait_timeout=wait_timeout, lease_wait=lease_wait)


def down(
    project: str | None = None, *, stack: str | None = None, dry_run: bool = False, yes: bool = False, detach: bool = False,
    working_dir: str | Path | None = None, wait_timeout: float | None = None, lease_wait: float = 0.0,
) -> Deployment:  # fmt: skip
    """`start_down`, then wait until all is gone."""
    deployment = start_down(
        project, stack=stack, dry_run=dry_run, yes=yes, working_dir=working_dir, wait_timeout=wait_timeout,
        lease_wait=lease_wait,
    )  # fmt: skip
    return deployment.wait_accepted() if detach else deployment.wait()


def attach(deployment: str = "latest", *, project: str | None = None, stack: str | None = None) -> Deployment:
    """A deployment by its id (or a unique beginning of it), with its whole history: at once if it is over, else followed.

    Raises `NotFoundError`.
    """
    workspace = _workspace(stack, None)
    return begin.attach(workspace, deployment, project)


def cancel(deployment: str = "latest", *, project: str | None = None, stack: str | None = None) -> Deployment:
    """Ask cd to end a running deployment; `.wait(check=False)` waits until it did. Raises `NotFoundError`."""
    found = attach(deployment, project=project, stack=stack)
    try:
        loop.run(_workspace(stack, None).cancel(found.id))
    except NotFoundError:
        found.wait(check=False)  # nobody runs it, so its story is at its end, or will be found to have none
    return found


def deployments(
    project: str | None = None,
    *,
    stack: str | None = None,
    limit: int = 20,
    kind: str | None = None,
    outcome: str | None = None,
) -> list[DeploymentSummary]:
    """The latest deployments of the stack (or of one project), newest first.

    `kind` is up, down, preview or refresh; `outcome` is succeeded, failed, cancelled or running. Raises `UsageError`.
    """
    return past.deployments(_workspace(stack, None), project, limit, kind, outcome)


def deployment(deployment: str = "latest", *, project: str | None = None, stack: str | None = None) -> PastDeployment:
    """All that is kept of one deployment: request, plan, steps, problems, outcome, duration, who ran it.

    Raises `NotFoundError`.
    """
    return past.read(_workspace(stack, None), deployment, project)


def start_rollback(
    deployment: str | None = None, *, project: str | None = None, stack: str | None = None, dry_run: bool = False,
    yes: bool = False, wait_timeout: float | None = None, lease_wait: float = 0.0, working_dir: str | Path | None = None,
) -> Deployment:  # fmt: skip
    """Start deploying an earlier deployment's project and images again (None: the latest that went well and differs).

    Configuration values are today's. Images are the same, by their references: built again, from the context that was kept for
    it, only where one is gone. Raises `NotFoundError`, `UsageError`, and what `start_up` raises of a project.
    """
    workspace = _workspace(stack, working_dir)
    name = project if deployment else _project(workspace, project, working_dir)
    request = again.asked(
        workspace, deployment, name, dry_run=dry_run, yes=yes, wait_timeout=wait_timeout, lease_wait=lease_wait
    )
    return Deployment.begin(workspace, request)


def rollback(
    deployment: str | None = None, *, project: str | None = None, stack: str | None = None, dry_run: bool = False,
    yes: bool = False, detach: bool = False, wait_timeout: float | None = None, lease_wait: float = 0.0,
    working_dir: str | Path | None = None,
) -> Deployment:  # fmt: skip
    """`start_rollback`, then wait until it is live."""
    started = start_rollback(
        deployment, project=project, stack=stack, dry_run=dry_run, yes=yes, wait_timeout=wait_timeout, lease_wait=lease_wait,
        working_dir=working_dir,
    )  # fmt: skip
    return started.wait_accepted() if detach else started.wait()


def orphans(project: str | None = None, *, stack: str | None = None, working_dir: str | Path | None = None) -> list[Orphan]:
    """What is live on the stack, carries our tag, and no record knows; of all projects where none is named. Changes nothing."""
    from defang_nb.client.orphans import find_orphans

    return find_orphans(_workspace(stack, working_dir), project or "")


def start_orphan_removal(project: str, *, stack: str | None = None, working_dir: str | Path | None = None) -> Deployment:
    """Start deleting those of a project, data included. Nothing that is recorded is touched, and nothing of somebody else's."""
    from defang_nb.client.orphans import start_removal

    return start_removal(_workspace(stack, working_dir), project)


def start_repair(
    project: str | None = None, *, stack: str | None = None, working_dir: str | Path | None = None
) -> Deployment:  # fmt: skip
    """Start making a damaged record of a project readable again; what it lost is looked for where it is."""
    workspace = _workspace(stack, working_dir)
    return begin.start_refresh(workspace, _project(workspace, project, working_dir), repair=True)


def start_refresh(
    project: str | None = None, *, accept: bool = False, stack: str | None = None, working_dir: str | Path | None = None
) -> Deployment:
    """Start comparing what is live with what is recorded (`.view.plan`); `accept` records what is live as it is."""
    workspace = _workspace(stack, working_dir)
    return begin.start_refresh(workspace, _project(workspace, project, working_dir), accept=accept)


def refresh(
    project: str | None = None, *, accept: bool = False, stack: str | None = None, working_dir: str | Path | None = None
) -> Deployment:
    """`start_refresh`, then wait until it is over. Changes nothing of what runs."""
    return start_refresh(project, accept=accept, stack=stack, working_dir=working_dir).wait()


def ps(project: str | None = None, *, stack: str | None = None) -> list[ServiceStatus]:
    """What runs now, of one project or of all that the stack knows."""
    workspace = _workspace(stack, None)

    async def read() -> list[ServiceStatus]:
        names = [project] if project else await (await workspace.history()).projects()
        return [status for name in names for status in await workspace.provider.status(name)]

    return loop.run(read())


def logs(
    services: str | Sequence[str] = (), *, project: str | None = None, stack: str | None = None, follow: bool = False,
    since: float | str | None = None, until: float | str | None = None, tail: int | None = None, kind: str = "run",
    containing: str = "", working_dir: str | Path | None = None,
) -> Iterator[LogRecord]:  # fmt: skip
    """Lines that services wrote, in order of time. Times are epoch seconds, ISO 8601, or an age such as `10m`.

    `kind`: `run`; where builds and cd have logs of their own (AWS), `build`, `cd` or `all`. `containing`: only lines with it.
    """
    workspace = _workspace(stack, working_dir)
    project = _project(workspace, project, working_dir)
    names = (services,) if isinstance(services, str) else tuple(services)
    return read_logs(
        workspace, project, names, follow=follow, since=since, until=until, tail=tail, kind=kind, containing=containing
    )


def config_set(
    key: str, value: str | None = None, *, file: str | Path | None = None, random: bool = False, project: str | None = None,
    stack: str | None = None, working_dir: str | Path | None = None,
) -> None:  # fmt: skip
    """Set a configuration value (secret) from exactly one of `value`, the content of `file`, or `random` (32 characters)."""
    given = [value is not None, file is not None, random]
    if sum(given) != 1:
        raise UsageError(f"config {key}: give exactly one of a value, a file, or random")
    if file is not None:
        try:
            value = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"config {key}: can't read {file}: {error}") from None
    if random:
        value = "".join(secrets.choice(_LETTERS) for _ in range(32))
    workspace = _workspace(stack, working_dir)
    loop.run(workspace.provider.config.set(_project(workspace, project, working_dir), key, value or ""))


def config_ls(project: str | None = None, *, stack: str | None = None, working_dir: str | Path | None = None) -> list[str]:
    """The names of the configuration values that are set. Their values are never shown."""
    workspace = _workspace(stack, working_dir)
    return loop.run(workspace.provider.config.names(_project(workspace, project, working_dir)))


def config_rm(key: str, *, project: str | None = None, stack: str | None = None, working_dir: str | Path | None = None) -> None:
    """Remove a configuration value. Raises `NotFoundError` when there is none."""
    workspace = _workspace(stack, working_dir)
    name = _project(workspace, project, working_dir)
    if not loop.run(workspace.provider.config.remove(name, key)):
        raise NotFoundError(f"{key} is not set for {name}", hint="`config ls` lists what is")

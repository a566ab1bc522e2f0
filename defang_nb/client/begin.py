"""From what a person gave (files, text, flags) to a checked project, and from there to a `Deployment`.

All that can be known to be wrong is found here, before anything is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from defang_nb.client import loop
from defang_nb.client.checked import Checked, examine, refuse
from defang_nb.client.deployment import Deployment
from defang_nb.client.plans import read_plan
from defang_nb.client.stacks import load_stack
from defang_nb.client.workspace import Workspace
from defang_nb.errors import ComposeError, UsageError
from defang_nb.model.events import DeploymentSummary, Kind
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.stack import Stack
from defang_nb.model.view import DeploymentView
from defang_nb.provision.owner import this_person

if TYPE_CHECKING:
    from defang_nb.build import Packed
    from defang_nb.compose import Loaded

Files = Sequence[str | Path]


@dataclass(frozen=True)
class Inputs:
    """What says which project is meant, as `api` documents it."""

    compose: str | Path | None
    files: Files = ()
    text: str | None = None
    name: str | None = None
    project: str | None = None
    stack: str | None = None
    services: Sequence[str] = ()
    profiles: Sequence[str] = ()
    env_files: Files = ()
    working_dir: str | Path | None = None
    engine: str | None = None
    builder: str | None = None

    def place(self) -> Stack:
        """The stack, with what was asked for of its engine and builder."""
        stack = load_stack(self.stack, self.folder)
        asked = {"DEFANG_ENGINE": self.engine, "DEFANG_BUILDER": self.builder}
        settings = {**stack.settings, **{key: value for key, value in asked.items() if value}}
        return msgspec.structs.replace(stack, settings=settings)

    @property
    def folder(self) -> Path:
        return Path(self.working_dir or ".").expanduser().absolute()


def check(inputs: Inputs) -> Checked:
    """Load it, and ask the provider; see `api.check`."""
    workspace = Workspace(inputs.place())
    return _check(workspace, inputs)[0]


def start_up(
    inputs: Inputs,
    *,
    build: bool,
    dry_run: bool,
    yes: bool,
    wait_timeout: float | None,
    lease_wait: float,
    plan: str | Path | None = None,
    leave_out: str | Path | None = None,
) -> Deployment:
    """Check it, digest its contexts, and start; see `api.start_up`."""
    workspace = Workspace(inputs.place())
    checked, loaded = _check(workspace, inputs)
    refuse(checked, loaded.quoted)
    expected = read_plan(plan, project=checked.project.name, stack=workspace.stack.name) if plan is not None else None
    # A plan that is saved inside of a build context must not change what is built.
    without = plan if plan is not None else leave_out
    away = workspace.stack.provider != "local"
    project, images, prepared = _prepare(loaded, Path(without).absolute() if without is not None else None, away=away)
    request = DeployRequest(
        deployment=new_id(),
        kind=Kind.PREVIEW if dry_run else Kind.UP,
        stack=workspace.stack,
        project=project,
        images=images,
        diagnostics=(*checked.diagnostics, *(each for image in prepared for each in image.diagnostics)),
        build=build,
        dry_run=dry_run,
        yes=yes,
        wait_timeout=wait_timeout,
        lease_wait=lease_wait,
        by=this_person(),
        expected=expected,
    )
    return Deployment.begin(workspace, request, prepared)


def start_down(
    workspace: Workspace, project: str, *, dry_run: bool, yes: bool, wait_timeout: float | None, lease_wait: float
) -> Deployment:
    """See `api.start_down`."""
    request = DeployRequest(
        deployment=new_id(),
        kind=Kind.DOWN,
        stack=workspace.stack,
        project=Project(name=project, services={}),
        dry_run=dry_run,
        yes=yes,
        wait_timeout=wait_timeout,
        lease_wait=lease_wait,
        by=this_person(),
    )
    return Deployment.begin(workspace, request)


def start_refresh(workspace: Workspace, project: str, *, accept: bool = False, repair: bool = False) -> Deployment:
    """See `api.start_refresh` and `api.start_repair`."""
    request = DeployRequest(
        deployment=new_id(),
        kind=Kind.REFRESH,
        stack=workspace.stack,
        project=Project(name=project, services={}),
        accept=accept,
        repair=repair,
        by=this_person(),
    )
    return Deployment.begin(workspace, request)


def attach(workspace: Workspace, deployment: str, project: str | None) -> Deployment:
    """See `api.attach`."""

    async def find() -> DeploymentSummary:
        return await (await workspace.history()).find(deployment, project)

    it = loop.run(find())
    found = Deployment(
        workspace, DeploymentView(id=it.id, kind=it.kind, project=it.project, stack=it.stack, started=it.started)
    )
    return found.wait(check=False) if it.outcome else found


def _check(workspace: Workspace, inputs: Inputs) -> tuple[Checked, Loaded]:
    loaded = load_project(workspace, inputs)
    checked = examine(workspace, loaded.project, loaded.canonical, loaded.diagnostics)
    return msgspec.structs.replace(checked, diagnostics=loaded.quoted(checked.diagnostics)), loaded


def load_project(workspace: Workspace, inputs: Inputs) -> Loaded:
    from defang_nb.compose import Source, load

    files = [*([inputs.compose] if inputs.compose is not None else []), *inputs.files]
    if inputs.text is not None and files:
        raise UsageError("give either Compose text or files, not both")
    sources: list[Source | Path] | None = [Path(each).expanduser() for each in files] or None
    if inputs.text is not None:
        sources = [Source(inputs.name or "compose", inputs.text)]
    # As with the reference, a project's relative paths start at the folder of its first file.
    beside = inputs.working_dir is None and files
    return load(
        sources,
        working_dir=Path(files[0]).expanduser().absolute().parent if beside else inputs.folder,
        project_name=inputs.project,
        env_files=[Path(each).expanduser().absolute() for each in inputs.env_files],
        profiles=tuple(inputs.profiles),
        services=tuple(inputs.services),
        stack=workspace.stack.name,
        provider=workspace.stack.provider,
    )


def _prepare(loaded: Loaded, without: Path | None, *, away: bool) -> tuple[Project, tuple[ImageSource, ...], list[Packed]]:
    """The project as it is deployed, its images, and what has to be uploaded for them.

    `away`: the stack does not see this machine's files.
    """
    project = loaded.project
    if not any(service.build or service.static_files for service in project.services.values()):
        return project, (), []
    from defang_nb.build import prepare, site
    from defang_nb.providers.local.paths import home

    cache = home() / "cache" / "contexts"
    try:
        project, sites = site.packed(project, without=without, cache=cache) if away else (project, [])
        built = prepare(project, without=without, cache=cache)
        return project, tuple(each.source for each in built), [*sites, *built]
    except ComposeError as error:
        raise ComposeError(error.message, hint=error.hint, diagnostics=loaded.quoted(error.diagnostics)) from None

"""From what a person gave (files, text, flags) to a checked project, and from there to a `Deployment`.

All that can be known to be wrong is found here, before anything is touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from defang_nb.client import loop
from defang_nb.client.deployment import Deployment
from defang_nb.client.plans import read_plan
from defang_nb.client.stacks import load_stack
from defang_nb.client.workspace import Workspace
from defang_nb.errors import ComposeError, ConfigMissingError, NotFoundError, UnsupportedError, UsageError
from defang_nb.model.events import Diagnosed, Event, Kind, Payload, Requested
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.request import DeployRequest, introduce, new_id
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.stack import Stack
from defang_nb.model.value import ConfigRef
from defang_nb.model.view import DeploymentView, reduce
from defang_nb.providers.base import Say

if TYPE_CHECKING:
    from defang_nb.build import Packed
    from defang_nb.client.uploads import Uploads
    from defang_nb.compose import Loaded

Files = Sequence[str | Path]
Quote = Callable[[Iterable[Diagnostic]], tuple[Diagnostic, ...]]


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


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded project. `canonical` is it with everything resolved, as plain values; `missing` are the unset configuration
    values, each with the services that need it; `diagnostics` are the loader's and the provider's findings.
    """

    project: Project
    canonical: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = {}

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(each for each in self.diagnostics if each.severity is Severity.ERROR)


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
        by=person(),
        expected=expected,
    )
    return start(workspace, request, prepared)


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
        by=person(),
    )
    return start(workspace, request, ())


def start_refresh(workspace: Workspace, project: str, *, accept: bool = False, repair: bool = False) -> Deployment:
    """See `api.start_refresh` and `api.start_repair`."""
    request = DeployRequest(
        deployment=new_id(),
        kind=Kind.REFRESH,
        stack=workspace.stack,
        project=Project(name=project, services={}),
        accept=accept,
        repair=repair,
        by=person(),
    )
    return start(workspace, request, ())


def attach(workspace: Workspace, deployment: str, project: str | None) -> Deployment:
    """See `api.attach`."""

    async def find() -> DeploymentView:
        summary = await (await workspace.history()).find(deployment, project)
        return DeploymentView(
            id=summary.id, kind=summary.kind, project=summary.project, stack=summary.stack, started=summary.started
        )

    return Deployment(workspace, loop.run(find()))


def refuse(checked: Checked, quoted: Quote = tuple) -> None:
    """Raises what keeps a checked project from being deployed: `UnsupportedError`, `ConfigMissingError`.

    `quoted` puts the lines of the project's texts to findings about them, where those are at hand.
    """
    if checked.errors:
        first, more = checked.errors[0], len(checked.errors) - 1
        message = first.message + (f" (and {more} more)" if more else "")
        raise UnsupportedError(message, hint=first.hint, diagnostics=checked.errors)
    if checked.missing:
        raise _missing(checked, quoted)


def examine(workspace: Workspace, project: Project, canonical: Mapping[str, Any], found: Sequence[Diagnostic] = ()) -> Checked:
    """What the provider makes of a project, beside what was `found` before."""
    findings = (*found, *workspace.provider.check(project))
    needed = project.config_keys()
    names = set(loop.run(workspace.provider.config.names(project.name))) if needed else set()
    missing = {key: services for key, services in needed.items() if key not in names}
    return Checked(project=project, canonical=canonical, diagnostics=findings, missing=missing)


def project_here(folder: Path) -> str | None:
    """The name of the project whose Compose file is here (or above), if there is one that can be read."""
    from defang_nb.compose import load

    try:
        return load(None, working_dir=folder).project.name
    except (ComposeError, NotFoundError):
        return None


def start(workspace: Workspace, request: DeployRequest, prepared: Sequence[Packed]) -> Deployment:
    """A deployment that gets under way by itself."""

    async def begin(say: Say) -> Uploads:
        return await workspace.start(request, prepared, say)

    return Deployment(workspace, _first_view(request), begin)


def _first_view(request: DeployRequest) -> DeploymentView:
    """What the workspace knows itself, to be seen until cd speaks."""
    payloads: list[Payload] = [
        Requested(
            kind=request.kind,
            project=request.project.name,
            stack=request.stack.name,
            provider=request.stack.provider,
            by=request.by,
            services=introduce(request.project),
        )
    ]
    payloads += [Diagnosed(diagnostic=each) for each in request.diagnostics]
    view, now = DeploymentView(id=request.deployment), time.time()
    for number, payload in enumerate(payloads, 1):
        view = reduce(view, Event(deployment=request.deployment, sequence=number, time=now, payload=payload))
    return msgspec.structs.replace(view, sequence=0)


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


def _missing(checked: Checked, quoted: Quote) -> ConfigMissingError:
    lines = [f"{key} (needed by {', '.join(services)})" for key, services in checked.missing.items()]
    first = next(iter(checked.missing))
    hint = f"`config set {first}` sets it" + (", and so on for the others" if len(lines) > 1 else "")
    found = quoted(_unset(checked.project, key) for key in checked.missing)
    return ConfigMissingError(f"configuration is not set: {'; '.join(lines)}", hint=hint, diagnostics=found)


def _unset(project: Project, key: str) -> Diagnostic:
    """Where a configuration value that isn't set is asked for first."""
    places = [
        (service.name, f"services.{service.name}.{part}.{name}")
        for service in project.services.values()
        for part, texts in (("environment", service.environment), ("build.args", service.build.args if service.build else {}))
        for name, text in texts.items()
        if ConfigRef(key) in text
    ]
    service, path = places[0] if places else ("", "")
    return Diagnostic(
        severity=Severity.ERROR,
        code="config-missing",
        message=f"{key} is not set",
        hint=f"`config set {key}` sets it, or give it a value in .env or an env file",
        position=project.position(path),
        path=path,
        service=service,
    )


def person() -> str:
    """Who asks, for people."""
    from defang_nb.provision.owner import this_person

    return this_person()

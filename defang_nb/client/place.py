"""Which stack and which project a call is about."""

from __future__ import annotations

from pathlib import Path

from defang_nb.client import loop
from defang_nb.client.stacks import load_stack
from defang_nb.client.workspace import Workspace
from defang_nb.errors import ComposeError, NotFoundError, UsageError


def workspace_of(stack: str | None, working_dir: str | Path | None) -> Workspace:
    return Workspace(load_stack(stack, Path(working_dir or ".").absolute()))


def project_of(workspace: Workspace, project: str | None, working_dir: str | Path | None) -> str:
    """The project that is meant: the one that is named, that of the Compose file here, or the only one that there is."""
    if project:
        return project
    if found := _project_here(Path(working_dir or ".").absolute()):
        return found

    async def read() -> list[str]:
        return await (await workspace.history()).projects()

    match loop.run(read()):
        case [only]:
            return only
        case []:
            raise NotFoundError("there is no project here yet", hint="name one, or run `up` first")
        case several:
            raise UsageError("which project?", hint=f"name one of: {', '.join(several)}")


def _project_here(folder: Path) -> str | None:
    """The name of the project whose Compose file is here (or above), if there is one that can be read."""
    from defang_nb.compose import load

    try:
        return load(None, working_dir=folder).project.name
    except (ComposeError, NotFoundError):
        return None

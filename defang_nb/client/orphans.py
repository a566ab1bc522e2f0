"""What is live on a stack and no record knows: looked for from the workspace, deleted by cd."""

from __future__ import annotations

import msgspec

from defang_nb.client import loop
from defang_nb.client.deployment import Deployment
from defang_nb.client.workspace import Workspace
from defang_nb.errors import StateDamagedError
from defang_nb.model.events import Kind
from defang_nb.model.project import Project
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.provision.owner import this_person
from defang_nb.provision.ports import Live
from defang_nb.provision.state import State
from defang_nb.provision.strays import owned, strays


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is the provider's. `holds_data`: what is lost with it can't be made again."""

    project: str
    urn: str
    title: str
    id: str
    holds_data: bool = False


def find_orphans(workspace: Workspace, project: str) -> list[Orphan]:
    """Of one project ("": of all).

    Raises `StateDamagedError` where a record can't be read, since nothing can be told to be without one then; `ProviderError`.
    """

    async def look() -> list[Orphan]:
        store = await workspace.provider.store()
        found: dict[str, list[Live]] = {}
        for live in await owned(workspace.provider.resource_types(), project):
            found.setdefault(live.urn.partition("/")[0], []).append(live)
        orphans = []
        for name, group in found.items():
            try:
                state = await State.open(store, name)
            except StateDamagedError as error:
                raise StateDamagedError(f"{name}: {error.message}", hint=error.hint) from error
            orphans += [
                Orphan(
                    project=name, urn=each.urn, title=each.title or each.urn.rpartition("/")[2], id=each.id,
                    holds_data=each.holds_data,
                )
                for each in strays(group, state)
            ]  # fmt: skip
        return orphans

    return loop.run(look())


def start_removal(workspace: Workspace, project: str) -> Deployment:
    """Start deleting those of one project. Whoever calls this has agreed to it, data included."""
    request = DeployRequest(
        deployment=new_id(),
        kind=Kind.DOWN,
        stack=workspace.stack,
        project=Project(name=project, services={}),
        orphans=True,
        yes=True,
        by=this_person(),
    )
    return Deployment.begin(workspace, request)

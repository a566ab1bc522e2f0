"""`stack repair`: what is to be done before and after the record of a project is opened that can't be read as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from defang_nb.model.events import Diagnosed, Kind, Outcome, Payload
from defang_nb.model.resource import Resource
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.providers.base import Provider
from defang_nb.providers.history import History
from defang_nb.provision.lease import Lease
from defang_nb.provision.ports import ObjectStore
from defang_nb.provision.salvage import adopt, salvage
from defang_nb.provision.state import State


class Repair:
    """Of one project, for one deployment. `begin` makes the record readable, `finish` looks for what it lost."""

    def __init__(self, store: ObjectStore, provider: Provider, project: str, deployment: str) -> None:
        self._store = store
        self._provider = provider
        self._project = project
        self._deployment = deployment
        self._damaged: tuple[str, ...] = ()

    async def begin(self, lease: Lease, tell: Callable[[Payload], None]) -> None:
        self._damaged = await salvage(self._store, self._project, lease)
        for key in self._damaged:
            message = f"{key} could not be read: it is put aside"
            tell(Diagnosed(diagnostic=Diagnostic(severity=Severity.WARNING, code="state-damaged", message=message)))

    async def finish(self, state: State) -> str:
        """What came of it, in words."""
        found = await adopt(await self._asked_for(), state, self._provider.resource_types(), deployment=self._deployment)
        said = f"{len(state.recorded)} resources are recorded"
        if found:
            said += f", {len(found)} of them found again where they are"
        if not self._damaged and not found:
            return f"nothing had to be repaired: {said}"
        return f"{len(self._damaged)} unreadable parts of the record put aside; {said}"

    async def _asked_for(self) -> Sequence[Resource]:
        """What the latest `up`, and the latest that went well, wanted to exist."""
        history = History(self._store)
        ups = await history.latest(self._project, 1, kind=Kind.UP, outcome=Outcome.SUCCEEDED)
        ups += await history.latest(self._project, 1, kind=Kind.UP)
        digests = await self._provider.config.digests(self._project)
        wanted: dict[str, Resource] = {}
        for each in ups:
            request = await history.request(self._project, each.id)
            if request is not None:
                wanted |= {it.urn: it for it in self._provider.compile(request.project, request.images, digests)}
        return tuple(wanted.values())

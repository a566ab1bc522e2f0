"""What a stack's store keeps of deployments: written by cd as they happen, read by anyone, then or later.

    deployments/<id>.<project>.json                        the index: one summary each; ids sort by time
    running/<id>.<project>                                 a marker, from the beginning to the end
    projects/<project>/deployments/<id>/request.json       what was asked (it names secrets, and holds none)
    projects/<project>/deployments/<id>/events/<seq>.jsonl batches of events, named by their first sequence number

Nothing is appended to: each batch is an object of its own, in the JSON mapping of the contract, one event a line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from defang_nb.errors import NotFoundError
from defang_nb.model.events import DeploymentSummary, Event, Finished, Kind, Outcome
from defang_nb.model.request import DeployRequest
from defang_nb.provision.ports import ObjectStore

_INDEX = "deployments/"
_RUNNING = "running/"


class History:
    """Reads and writes the stories of one stack."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def begin(self, request: DeployRequest, started: float) -> DeploymentSummary:
        """Write down what was asked, before anything else happens."""
        summary = DeploymentSummary(
            id=request.deployment,
            kind=request.kind,
            project=request.project.name,
            stack=request.stack.name,
            started=started,
            by=request.by,
            rollback_of=request.rollback_of,
        )
        asked = f"{_folder(summary.project, summary.id)}/request.json"
        await asyncio.gather(
            self._store.put(_RUNNING + _name(summary), b""), self._store.put(asked, msgspec.json.encode(request))
        )
        await self._store.put(f"{_INDEX}{_name(summary)}.json", msgspec.json.encode(summary))
        return summary

    async def known(self, project: str, deployment: str) -> bool:
        """Whether it was begun already, by whomever."""
        return bool(await self._store.list(f"{_INDEX}{deployment}.{project}.json"))

    async def append(self, project: str, deployment: str, events: Sequence[Event]) -> None:
        """Store a batch of consecutive events."""
        from defang_nb.wire import event_to_json

        lines = "".join(event_to_json(event) + "\n" for event in events)
        await self._store.put(f"{_folder(project, deployment)}/events/{events[0].sequence:08}.jsonl", lines.encode())

    async def end(self, summary: DeploymentSummary, finished: Event) -> None:
        """Note how it ended. The event itself has been appended already."""
        if isinstance(finished.payload, Finished):
            summary = msgspec.structs.replace(
                summary, finished=finished.time, outcome=finished.payload.outcome, message=finished.payload.message
            )
        await self._store.put(f"{_INDEX}{_name(summary)}.json", msgspec.json.encode(summary))
        await self._store.delete(_RUNNING + _name(summary))

    async def request(self, project: str, deployment: str) -> DeployRequest | None:
        """What was asked; None when it is no longer kept, or a later version wrote it."""
        stored = await self._store.get(f"{_folder(project, deployment)}/request.json")
        try:
            return msgspec.json.decode(stored.data, type=DeployRequest) if stored else None
        except msgspec.DecodeError:
            return None

    async def events(self, project: str, deployment: str, from_sequence: int = 1) -> list[Event]:
        """The stored events from a sequence number on, in order."""
        return [event async for event in self.each_event(project, deployment, from_sequence)]

    async def each_event(self, project: str, deployment: str, from_sequence: int = 1) -> AsyncIterator[Event]:
        """The same, with no more than one batch in memory."""
        from defang_nb.wire import event_from_json

        keys = await self._store.list(f"{_folder(project, deployment)}/events/")
        first = [int(key.rpartition("/")[2].removesuffix(".jsonl")) for key in keys]
        skip = max((at for at, number in enumerate(first) if number <= from_sequence), default=0)
        wanted = from_sequence
        for key in keys[skip:]:
            batch = await self._store.get(key)
            for line in batch.data.splitlines() if batch else ():
                event = event_from_json(line)
                if event.sequence >= wanted:  # a batch that was stored late may hold what the next ones hold too
                    wanted = event.sequence + 1
                    yield event

    async def ids(self, project: str | None = None) -> list[str]:
        """The ids of all deployments that are kept, oldest first."""
        return [_id(key) for key in await self._keys(project)]

    async def latest(
        self, project: str | None = None, limit: int = 20, *, kind: Kind | None = None, outcome: Outcome | None = None
    ) -> list[DeploymentSummary]:
        """The latest deployments (of that kind, with that outcome), newest first."""
        keys = (await self._keys(project))[::-1]
        found: list[DeploymentSummary] = []
        while keys and len(found) < limit:
            some, keys = keys[:limit], keys[limit:]
            summaries = await asyncio.gather(*(self._summary(key) for key in some))
            found += [each for each in summaries if each and kind in (None, each.kind) and outcome in (None, each.outcome)]
        return found[: max(0, limit)]

    async def forget(self, project: str, deployment: str) -> None:
        """Delete all that is kept of a deployment. The index goes last: what a crash leaves is found by it."""
        for key in await self._store.list(f"{_folder(project, deployment)}/"):
            await self._store.delete(key)
        await self._store.delete(f"{_INDEX}{deployment}.{project}.json")

    async def _keys(self, project: str | None) -> list[str]:
        return [key for key in await self._store.list(_INDEX) if project in (None, _project(key))]

    async def _summary(self, key: str) -> DeploymentSummary | None:
        """None for one that was just forgotten, or that can't be read: a list must not fail for one of its lines."""
        stored = await self._store.get(key)
        try:
            return msgspec.json.decode(stored.data, type=DeploymentSummary) if stored else None
        except msgspec.DecodeError:
            return None

    async def find(self, deployment: str = "latest", project: str | None = None) -> DeploymentSummary:
        """One deployment, by its id, a unique beginning of it, or `latest`. Raises `NotFoundError`."""
        prefix = "" if deployment == "latest" else deployment
        keys = [key for key in await self._keys(project) if _id(key).startswith(prefix)]
        if prefix and len(keys) > 1:
            raise NotFoundError(f"{deployment!r} begins the ids of {len(keys)} deployments", hint="give more of the id")
        found = await self._summary(keys[-1]) if keys else None
        if found is None:
            what = f"no deployment {deployment!r}" if prefix else "no deployment yet"
            raise NotFoundError(what + (f" of {project!r}" if project else ""), hint="`deployments` lists them")
        return found

    async def unfinished(self) -> list[DeploymentSummary]:
        """Deployments that were begun and not ended: they run, or their cd was ended."""
        names = [key.removeprefix(_RUNNING) for key in await self._store.list(_RUNNING)]
        found = [(name, await self._summary(f"{_INDEX}{name}.json")) for name in names]
        for name, summary in found:
            if summary is None:
                await self._store.delete(_RUNNING + name)
        return [each for _, each in found if each]

    async def projects(self) -> list[str]:
        """Every project that was ever deployed to the stack."""
        return sorted({_project(key) for key in await self._store.list(_INDEX)})


def _name(summary: DeploymentSummary) -> str:
    return f"{summary.id}.{summary.project}"


def _id(key: str) -> str:
    return key.removeprefix(_INDEX).partition(".")[0]


def _project(key: str) -> str:
    return key.partition(".")[2].removesuffix(".json")


def _folder(project: str, deployment: str) -> str:
    return f"projects/{project}/deployments/{deployment}"

"""What is recorded of a project: a snapshot, and the journal since."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from defang_nb.model.resource import Recorded
from defang_nb.provision.journal import Begin, End, Entry
from defang_nb.provision.lease import Lease
from defang_nb.provision.ports import ObjectStore


class State:
    """The recorded state of one project. Open it with the lease to change it, without one to look at it.

    `recorded` (urn → record) may hold replaced resources that still have to go, under the urn `<urn>~<id>`; `plan` deletes them.
    """

    recorded: Mapping[str, Recorded]
    version: str

    @classmethod
    async def open(cls, store: ObjectStore, project: str, *, lease: Lease | None = None) -> State:
        """Load it. With a lease that was taken over, first make sure that its former holder can't write any more.

        Raises `LeaseLostError` when somebody else took the lease over in the meantime.
        """
        raise NotImplementedError

    @property
    def pending(self) -> tuple[Begin, ...]:
        """Operations that began and never ended: their deployment died. `executor.recover` settles them."""
        raise NotImplementedError

    @property
    def lost(self) -> asyncio.Event | None:
        """Set once the lease is lost. None for a state that is only looked at."""
        raise NotImplementedError

    async def append(self, *entries: Entry) -> None:
        """Make `entries` durable, all or none, and fold them in. Without a lease: only fold them in."""
        raise NotImplementedError


__all__ = ["Begin", "End", "State"]

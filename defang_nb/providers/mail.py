"""How a client and a cd that it can't connect to talk all the same: by notes in the stack's store.

Slower than a connection, and the same in all else: requests and cancellations are notes that cd takes; a note of cd's own tells
that it serves, and what; a deployment's events are read where its story is kept.
"""

from __future__ import annotations

import msgspec

from defang_nb.model.request import DeployRequest
from defang_nb.provision.ports import ObjectStore

_ROOT = "cd/mail/"
_DEPLOY, _CANCEL, _REFUSED = f"{_ROOT}deploy/", f"{_ROOT}cancel/", f"{_ROOT}refused/"
_SERVING = "cd/serving.json"


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What `CdInfo` says, written by cd. `launch` tells which cd it was."""

    protocol: int
    version: str
    stack: str
    launch: str
    running: tuple[str, ...] = ()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why cd did not take a request over."""

    message: str
    hint: str = ""


class Mail:
    """The notes of one stack. Raises `ProviderError`."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    async def ask(self, request: DeployRequest) -> None:
        await self.store.put(f"{_DEPLOY}{request.deployment}", msgspec.json.encode(request))

    async def ask_to_cancel(self, deployment: str) -> None:
        await self.store.put(f"{_CANCEL}{deployment}", b"")

    async def refusal(self, deployment: str) -> Refusal | None:
        """It, once: it is taken away."""
        found = await self.store.get(f"{_REFUSED}{deployment}")
        if found is None:
            return None
        await self.store.delete(f"{_REFUSED}{deployment}")
        return msgspec.json.decode(found.data, type=Refusal)

    async def serving(self) -> Serving | None:
        found = await self.store.get(_SERVING)
        try:
            return msgspec.json.decode(found.data, type=Serving) if found else None
        except msgspec.DecodeError:
            return None

    async def serve(self, serving: Serving) -> None:
        await self.store.put(_SERVING, msgspec.json.encode(serving))

    async def withdraw(self) -> None:
        await self.store.delete(_SERVING)

    async def waiting(self) -> tuple[list[str], list[str]]:
        """The ids of deployments that are asked for, and of those to be cancelled. One call."""
        keys = await self.store.list(_ROOT)
        asked = [key.removeprefix(_DEPLOY) for key in keys if key.startswith(_DEPLOY)]
        return asked, [key.removeprefix(_CANCEL) for key in keys if key.startswith(_CANCEL)]

    async def take(self, deployment: str) -> DeployRequest | None:
        """What is asked for; None for what can't be read, or was taken back."""
        found = await self.store.get(f"{_DEPLOY}{deployment}")
        try:
            return msgspec.json.decode(found.data, type=DeployRequest) if found else None
        except msgspec.DecodeError:
            return None

    async def taken(self, deployment: str, refusal: Refusal | None = None) -> None:
        """It runs, or is refused. Called only then: a cd that dies before leaves it to the next."""
        if refusal is not None:
            await self.store.put(f"{_REFUSED}{deployment}", msgspec.json.encode(refusal))
        await self.store.delete(f"{_DEPLOY}{deployment}")

    async def cancelled(self, deployment: str) -> None:
        await self.store.delete(f"{_CANCEL}{deployment}")

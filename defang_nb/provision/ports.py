"""What the engine asks of the outside: an object store to keep state in, and resource types to change the world through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.events import Payload
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json

LIVE_INPUTS = "$inputs"
"""The key under which `read_many` may give the live values of input properties, to be compared with the recorded ones."""

Emit = Callable[[Payload], None]
"""Tells the deployment's story; never blocks, callable from the event loop's thread only."""


class ConflictError(Exception):
    """A conditional write did not hold: somebody else wrote first. Never leaves the engine."""


class TransientError(ProviderError):
    """A throttle, a lost connection: the same call is worth trying again, `after` seconds at the earliest (0: as one likes).

    `refused`: the call surely had no effect (a throttle); else it may have had one, of which only the reply was lost.
    """

    def __init__(self, message: str, *, hint: str = "", after: float = 0.0, refused: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.after = after
        self.refused = refused


class Stored(msgspec.Struct, frozen=True):
    """An object's bytes, and the version (etag, generation, …) that a conditional write names."""

    data: bytes
    version: str


class ObjectStore(Protocol):
    """A flat, strongly consistent key → bytes store with conditional writes. Keys use `/`, and are listed in order."""

    async def get(self, key: str) -> Stored | None: ...

    async def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        """Write atomically, give the new version. Raises `ConflictError` when the condition does not hold."""
        ...

    async def list(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix`, sorted."""
        ...

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Remove; a key that is not there is fine. Raises `ConflictError` when `if_match` does not hold."""
        ...

    async def upload(self, key: str, path: Path) -> None:
        """Put a file's content with bounded memory."""
        ...

    async def download(self, key: str, path: Path) -> None:
        """Write an object's content to a file with bounded memory. Raises `NotFoundError`."""
        ...


class OnCancel(StrEnum):
    """What becomes of a running operation when the deployment is cancelled."""

    FINISH = "finish"
    ABANDON = "abandon"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One create or update. `resource.inputs` are resolved (only config stays symbolic); `token` makes retries idempotent.

    `previous` is what is recorded of the resource now (None on create).
    """

    resource: Resource
    token: str
    deployment: str
    emit: Emit
    previous: Recorded | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a create, update or find came to: the provider's id, and the outputs known so far."""

    id: str
    outputs: Mapping[str, Json] = {}


class ResourceType(Protocol):
    """How one kind of thing is read, made, changed and unmade. Failures are `DefangError`s; all methods may be retried."""

    @property
    def name(self) -> str: ...

    @property
    def replace_on(self) -> frozenset[str]:
        """Top-level input properties whose change means another resource."""
        ...

    @property
    def create_before_delete(self) -> bool: ...

    @property
    def on_cancel(self) -> OnCancel: ...

    @property
    def lag(self) -> float:
        """Seconds for which a read or find may miss a change that was asked for before it; 0: it shows at once.

        So long no absence, and no value that differs from the record, is believed.
        """
        ...

    @property
    def idempotent(self) -> bool:
        """Whether a create called again with its token makes nothing more. Else the engine looks before it calls again."""
        ...

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """urn → live outputs, None for what is gone (or broken beyond use); an absent urn: unknown. One bulk read.

        Among the outputs may be `LIVE_INPUTS`: live values of input properties, by which changes from outside are known.
        """
        ...

    async def create(self, operation: Operation) -> Made: ...

    async def update(self, operation: Operation) -> Made: ...

    async def delete(self, recorded: Recorded) -> None:
        """Unmake it and wait until it is gone; what is gone already is fine."""
        ...

    async def find(self, urn: str) -> Made | None:
        """Adopt after a lost reply: the live resource that was created for `urn`, by its name or tag.

        Where a replacement and the one that it replaces are both live, the newer one.
        """
        ...

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        """Wait until it is usable; the final outputs. Raises `DefangError` (what, and the last log lines) when it never is."""
        ...


@runtime_checkable
class Exclusive(Protocol):
    """A resource type whose resources hold what only one can have at a time. A type need not be one of these."""

    def claims(self, inputs: Mapping[str, Json]) -> Sequence[str]:
        """What a resource with these inputs holds, in words for people: "port 8080", "example.org"."""
        ...


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """Something that carries our tag, whether it is recorded or not.

    `inputs` are those that it was made from, where that can be told; `ready`: it is usable as it is. `needs`: urns of what it
    uses, as far as that is known: it is deleted before them. `holds_data`: what is lost with it can't be made again.
    """

    urn: str
    type: str
    id: str
    title: str = ""
    service: str = ""
    inputs: Mapping[str, Json] | None = None
    outputs: Mapping[str, Json] = {}
    ready: bool = False
    needs: tuple[str, ...] = ()
    holds_data: bool = False


@runtime_checkable
class Tagged(Protocol):
    """A resource type that can tell what is there by its tags alone: to adopt it, and to find what no record knows."""

    async def owned(self, project: str = "") -> Sequence[Live]:
        """All that this stack made of this type for `project` ("": for any). One bulk read. Never what is somebody else's."""
        ...


class ApiClass(msgspec.Struct, frozen=True):
    """Calls that share one limit of the provider's: `limit` of them run at a time, whatever their types."""

    name: str
    limit: int


@runtime_checkable
class Limited(Protocol):
    """A resource type whose changing calls count against a limit of their own. The others share one (`limits.COMMON`)."""

    @property
    def api(self) -> ApiClass: ...


@runtime_checkable
class Once(Protocol):
    """A resource type that is a deed: a command that runs to its end. One that failed is not undone by running that before it.

    A type need not be one.
    """

    @property
    def once(self) -> bool: ...


@runtime_checkable
class Timed(Protocol):
    """A resource type that knows in how many seconds its resources are usually ready; 0: not known. A type need not be one."""

    @property
    def typical(self) -> float: ...


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One resource that is made and not ready yet, for `seconds` now."""

    operation: Operation
    made: Made
    seconds: float


@runtime_checkable
class Polled(Protocol):
    """A resource type that is asked about all of its resources at once that wait; its `ready` is not used."""

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        """urn → the final outputs of what is ready, the error of what will never be; an absent urn: not yet. One bulk read."""
        ...

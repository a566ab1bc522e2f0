"""Generations of the journal: the head that names the current one, its snapshot, and how a new one begins and old ones go.

In `projects/<project>/state/`: `head`, moved by compare-and-swap; `snapshots/<generation>-<epoch>`; `journal/<generation>/…`.
When a deployment that began a generation is over, what came before the one before it is deleted, so that a stack of many
years is no larger than a young one. The last but one stays, to go back to should the snapshot prove damaged. Seals stay for
ever: a holder that slept through it all still finds the one that ends its epoch (a few bytes for each holder that was ever
taken over).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence

import msgspec

from defang_nb.errors import DefangError
from defang_nb.model.resource import Recorded
from defang_nb.provision.journal import Begin, read_entries, seal, sealed
from defang_nb.provision.lease import Lease, lost_error
from defang_nb.provision.objects import GoneError, fetch, pack, unpack
from defang_nb.provision.ports import ConflictError, ObjectStore, Stored

_KEPT = 2
"""How many generations there are at most, the current one among them."""
_AT_ONCE = 16
_NUMBER = re.compile(r"/(?:journal|snapshots)/(\d+)[/-]")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """`snapshot` is a key ("": nothing was there when the generation began)."""

    generation: int = 0
    epoch: int = 0
    snapshot: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    recorded: dict[str, Recorded] = {}
    pending: tuple[Begin, ...] = ()


def root_of(project: str) -> str:
    return f"projects/{project}/state/"


def journal_prefix(root: str, generation: int) -> str:
    return f"{root}journal/{generation:08d}/"


async def read_head(store: ObjectStore, root: str) -> tuple[Head, Stored | None]:
    """Raises `StateDamagedError`, `ProviderError`."""
    stored = await fetch(store, root + "head")
    return (unpack(stored.data, Head, root + "head"), stored) if stored else (Head(), None)


async def read_snapshot(store: ObjectStore, key: str) -> Snapshot:
    """Raises `StateDamagedError`, `ProviderError`, and `GoneError` when it is not there."""
    if not key:
        return Snapshot()
    stored = await fetch(store, key)
    if stored is None:
        raise GoneError(key)
    return unpack(stored.data, Snapshot, key)


async def fence(store: ObjectStore, root: str, lease: Lease) -> None:
    """Shut out every earlier epoch that may not have ended: first from the head, then from the journal."""
    while True:
        head, stored = await read_head(store, root)
        if head.epoch > lease.epoch:
            raise lost_error()
        mine = msgspec.structs.replace(head, epoch=lease.epoch)
        if mine == head or await swap_head(store, root, stored, mine):
            break
    await seal_before(store, root, mine, lease)


async def seal_before(store: ObjectStore, root: str, head: Head, lease: Lease) -> None:
    """Seal every earlier epoch that may not have ended, in the head's generation."""
    prefix = journal_prefix(root, head.generation)
    await seal(store, prefix, range(lease.holding.unsealed, lease.epoch), lease.epoch)


async def begin_generation(
    store: ObjectStore, root: str, head: Head, stored: Stored | None, snapshot: Snapshot, lease: Lease
) -> Head:
    """Write `snapshot`, and have the head name it. Raises `LeaseLostError`, and `ProviderError`."""
    key = f"{root}snapshots/{head.generation + 1:08d}-{lease.epoch:08d}"
    await store.put(key, pack(snapshot))
    new = Head(generation=head.generation + 1, epoch=lease.epoch, snapshot=key)
    if not await swap_head(store, root, stored, new) and (await read_head(store, root))[0] != new:
        raise lost_error()
    return new


async def swap_head(store: ObjectStore, root: str, stored: Stored | None, head: Head) -> bool:
    """Whether the head was still as `stored`, and is `head` now."""
    data = pack(head)
    try:
        if stored is None:
            await store.put(root + "head", data, if_absent=True)
        else:
            await store.put(root + "head", data, if_match=stored.version)
    except ConflictError:
        return False
    return True


async def forget(store: ObjectStore, root: str, generation: int) -> None:
    """Delete what is too old once `generation` has begun, but for its seals, and snapshots that no head ever named.

    Nothing that is younger is touched: whoever is late with this deletes no successor's. Raises `ProviderError`.
    """
    oldest = generation - _KEPT + 1
    journal = [key for key in await store.list(f"{root}journal/") if _generation(key) < oldest]
    snapshots = [key for key in await store.list(f"{root}snapshots/") if _generation(key) < oldest]
    ends = await _ends(store, journal)
    await _delete(store, [*(key for key in journal if key not in ends), *snapshots])


async def _ends(store: ObjectStore, keys: Sequence[str]) -> set[str]:
    """Of the objects, those that seal their epoch: an epoch's last, if it does."""
    last = {key.rpartition("-")[0]: key for key in sorted(keys)}
    found = set()
    for key in last.values():
        with contextlib.suppress(DefangError, GoneError):
            if sealed(await read_entries(store, key)):
                found.add(key)
    return found


async def _delete(store: ObjectStore, keys: Sequence[str]) -> None:
    for at in range(0, len(keys), _AT_ONCE):
        await asyncio.gather(*(store.delete(key) for key in keys[at : at + _AT_ONCE]))


def _generation(key: str) -> int:
    found = _NUMBER.search(key)
    return int(found[1]) if found else 0

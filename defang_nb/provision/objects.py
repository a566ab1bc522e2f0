"""How the engine's records are kept as objects: JSON in a line, and in a second line a digest of it.

A store never tears an object, but disks rot and people edit: what was changed since it was written is refused, and never taken
for true. Objects without a digest, as written by the first versions, are read too.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from defang_nb.errors import ProviderError, StateDamagedError
from defang_nb.provision.ports import ObjectStore, Stored

T = TypeVar("T")

WAY_OUT = "`stack repair` puts what can't be read aside, and asks the provider what is there"


class GoneError(Exception):
    """The object `key` is not there (any more). Never leaves the engine."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def pack(value: object) -> bytes:
    data = msgspec.json.encode(value)
    return data + b"\n" + _digest(data)


async def fetch(store: ObjectStore, key: str) -> Stored | None:
    """The object at `key`. One that seems damaged is read once more: it may be the answer that was cut short on its way."""
    found = await store.get(key)
    if found is not None and not _sound(found.data):
        found = await store.get(key)
    return found


def unpack(data: bytes, type_: type[T], key: str) -> T:
    """Raises `StateDamagedError` for what was cut short or changed, `ProviderError` for what a later version wrote."""
    text, _, digest = data.partition(b"\n")
    if digest and not _sound(data):
        raise damaged(key, "it was changed after it was written")
    try:
        return msgspec.json.decode(text, type=type_)
    except msgspec.DecodeError as error:
        if digest:
            message = f"{key} can't be read: a later version of defang-nb wrote it ({error})"
            raise ProviderError(message, hint="update defang-nb") from error
        raise damaged(key, "it is cut short, or was changed") from error


def damaged(key: str, why: str) -> StateDamagedError:
    return StateDamagedError(f"{key} can't be read: {why}", hint=WAY_OUT)


def _sound(data: bytes) -> bool:
    text, _, digest = data.partition(b"\n")
    return digest == _digest(text)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest()[:16].encode()

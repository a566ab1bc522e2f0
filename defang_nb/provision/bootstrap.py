"""The first use of an object store: make sure that it keeps the promises that everything here stands on.

Some stores take conditional writes and ignore the conditions without a word. On such a store two deployments could both hold a
lease; so each is tried once, before anything else is written to it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable

import msgspec

from defang_nb.errors import DefangError, ProviderError
from defang_nb.provision.ports import ConflictError, ObjectStore

REVISION = 1
"""Of what a bootstrap does. A store of another one is bootstrapped again."""
_KEY = "bootstrap.json"
_HINT = "use a store with conditional writes (If-None-Match and If-Match), such as S3 or Google Cloud Storage, or a local disk"


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    revision: int


async def bootstrap(store: ObjectStore) -> None:
    """One read when it was done before; else `probe`, and note it. Raises `ProviderError`."""
    stored = await store.get(_KEY)
    with contextlib.suppress(msgspec.DecodeError):
        if stored is not None and msgspec.json.decode(stored.data, type=Bootstrap).revision == REVISION:
            return
    await probe(store)
    await store.put(_KEY, msgspec.json.encode(Bootstrap(revision=REVISION)))


async def probe(store: ObjectStore) -> None:
    """Try every condition with writes that must be refused. Raises `ProviderError` that says which was not, and what to do."""
    key = f"probe/{secrets.token_hex(8)}"
    try:
        first = await store.put(key, b"1", if_absent=True)
        await _refused(
            store.put(key, b"2", if_absent=True), "wrote over an object where there should be none yet (If-None-Match)"
        )
        second = await store.put(key, b"3", if_match=first)
        await _refused(
            store.put(key, b"4", if_match=first), "wrote over another version than the one that was named (If-Match)"
        )
        await _refused(store.delete(key, if_match=first), "deleted another version than was named (If-Match)")
        found = await store.get(key)
        if found is None or (found.data, found.version) != (b"3", second):
            raise ProviderError("this store does not give back what was written last", hint=_HINT)
        if await store.list(key) != [key]:
            raise ProviderError("this store does not list what was just written", hint=_HINT)
        await store.delete(key, if_match=second)
        if await store.get(key) is not None or await store.list(key):
            raise ProviderError("this store still shows what was deleted", hint=_HINT)
    except ConflictError as error:
        raise ProviderError("this store refuses a conditional write that holds", hint=_HINT) from error
    finally:
        with contextlib.suppress(DefangError, ConflictError):
            await store.delete(key)


async def _refused(write: Awaitable[object], what: str) -> None:
    try:
        await write
    except ConflictError:
        return
    raise ProviderError(f"this store does not keep to conditions: it {what}", hint=_HINT)

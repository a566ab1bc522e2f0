"""What a client and cd know of a launch, and where it is kept: the launch in the stack's store, its keys in SSM.

The keys are made for one launch, and gone with it. Who may read the stack's parameters is who may use its cd.
"""

from __future__ import annotations

import contextlib
import json
from functools import partial

import msgspec

from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.again import again
from defang_nb.providers.aws.config import own
from defang_nb.providers.aws.names import MANAGED_BY, MANAGER, STACK, pairs
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.base import TlsKeys
from defang_nb.provision.ports import ConflictError, ObjectStore

KEY = "cd/launch.json"
LAUNCH_VARIABLE = "DEFANG_CD_LAUNCH"
"""Set in cd's own task alone: the id of its launch."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """`task` is its ARN, "" until it is known; `began` is epoch seconds; `version` is the package's."""

    id: str
    by: str
    began: float
    version: str
    task: str = ""


class Launches:
    """Of one stack."""

    def __init__(self, account: Account, store: ObjectStore, stack: str) -> None:
        self._account = account
        self._store = store
        self._stack = stack

    async def latest(self) -> tuple[Launch | None, str]:
        """It, and the version of its record."""
        stored = await self._store.get(KEY)
        if stored is None:
            return None, ""
        try:
            return msgspec.json.decode(stored.data, type=Launch), stored.version
        except msgspec.DecodeError:
            return None, stored.version

    async def claim(self, launch: Launch, version: str) -> str:
        """Take the place of the launch of that version ("": of none). Raises `ConflictError` when somebody was faster."""
        data = msgspec.json.encode(launch)
        if version:
            return await self._store.put(KEY, data, if_match=version)
        return await self._store.put(KEY, data, if_absent=True)

    async def give(self, launch: str, cd: TlsKeys, client: TlsKeys) -> None:
        for side, keys in (("cd", cd), ("client", client)):
            value = json.dumps({"ca": keys.ca.decode(), "certificate": keys.certificate.decode(), "key": keys.key.decode()})
            await again(partial(self._put, self._name(launch, side), value))

    async def _put(self, name: str, value: str) -> None:
        try:
            await self._account.call(
                "ssm", "put_parameter", Name=name, Value=value, Type="SecureString",
                Tier="Intelligent-Tiering", Tags=pairs({MANAGED_BY: MANAGER, STACK: self._stack}),
            )  # fmt: skip
        except AwsError as error:
            if error.code != "ParameterAlreadyExists":  # an attempt whose reply was lost made it: the name is this launch's own
                raise

    async def take(self, launch: str, side: str) -> TlsKeys | None:
        """The keys of one side (`cd` or `client`); None when they are gone."""
        try:
            found = await self._account.call("ssm", "get_parameter", Name=self._name(launch, side), WithDecryption=True)
        except AwsError as error:
            if error.code == "ParameterNotFound":
                return None
            raise
        said = json.loads(found["Parameter"]["Value"])
        return TlsKeys(ca=said["ca"].encode(), certificate=said["certificate"].encode(), key=said["key"].encode())

    async def forget(self, launch: str) -> None:
        """Its keys, and that it is there, unless it is another one by now."""
        await self.drop(launch)
        found, version = await self.latest()
        if found is not None and found.id == launch:
            with contextlib.suppress(ConflictError):
                await self._store.delete(KEY, if_match=version)

    async def drop(self, launch: str) -> None:
        """Its keys."""
        names = [self._name(launch, side) for side in ("cd", "client")]
        await again(lambda: self._account.call("ssm", "delete_parameters", Names=names))

    def _name(self, launch: str, side: str) -> str:
        return own(self._stack, f"cd-{launch}-{side}")

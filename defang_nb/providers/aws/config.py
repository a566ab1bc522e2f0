"""Configuration values (secrets) as SSM parameters of type SecureString: `/Defang/<project>/<stack>/<NAME>`.

AWS encrypts them with the account's own key for SSM, and ECS hands them to containers by name: nobody of ours reads a value to
start a service. The names are those that the Defang CLI uses too.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.again import again
from defang_nb.providers.aws.names import MANAGED_BY, MANAGER, PROJECT, STACK, pairs
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.values import checked_key, checked_project, keyed_digests
from defang_nb.provision.ports import TransientError

_LONGEST = 8192
"""Bytes of an advanced parameter's value; one of up to 4096 is a standard one, which is free (SSM's "parameter tiers")."""
_EXISTS = "ParameterAlreadyExists"
_ABSENT = "ParameterNotFound"


def folder(project: str, stack: str) -> str:
    """What the names of a project's values begin with."""
    return f"/Defang/{checked_project(project)}/{stack}/"


def parameter(project: str, stack: str, key: str) -> str:
    """The name of the parameter that holds `key`."""
    return folder(project, stack) + checked_key(key)


OWN = "/Defang/_stacks/"
"""What the names of parameters of stacks themselves begin with. No project can be called `_stacks`."""


def own(stack: str, name: str) -> str:
    """The name of a parameter of the stack itself."""
    return f"{OWN}{stack}/{name}"


class ParameterConfigStore:
    """A `ConfigStore` of one stack. Methods raise `UsageError` for a name or value that can't be kept, `ProviderError`."""

    def __init__(self, account: Account, stack: str) -> None:
        self._account = account
        self._stack = stack

    async def set(self, project: str, key: str, value: str) -> None:
        name = parameter(project, self._stack, key)
        if not value:
            raise UsageError(
                f"AWS can't keep an empty value, and {key} is empty", hint=f"write `{key}:` with a default instead"
            )
        if (size := len(value.encode())) > _LONGEST:
            raise UsageError(
                f"{key} has {size} bytes, and AWS keeps {_LONGEST} of a value at most", hint="give services the rest as a file"
            )
        if not await self._put_new(name, value, {PROJECT: project}):
            await again(lambda: self._put(name, value, Overwrite=True))

    async def names(self, project: str) -> list[str]:
        return sorted(await self._read(project, decrypted=False))

    async def remove(self, project: str, key: str) -> bool:
        name = parameter(project, self._stack, key)
        try:
            await again(lambda: self._account.call("ssm", "delete_parameter", Name=name))
        except AwsError as error:
            if error.code == _ABSENT:
                return False
            raise
        return True

    async def digests(self, project: str) -> Mapping[str, str]:
        values = await self._read(project, decrypted=True)
        return keyed_digests(await self._digest_key(), project, values) if values else {}

    async def values(self, project: str, keys: Sequence[str]) -> dict[str, str]:
        """The values of those of `keys` that are set: for what has to hide them in texts of others."""
        found = await self._read(project, decrypted=True)
        return {key: found[key] for key in keys if key in found}

    async def _read(self, project: str, *, decrypted: bool) -> dict[str, str]:
        path = folder(project, self._stack)
        pages = await self._account.pages("ssm", "get_parameters_by_path", Path=path, WithDecryption=decrypted)
        return {each["Name"].removeprefix(path): each["Value"] for page in pages for each in page["Parameters"]}

    async def _digest_key(self) -> bytes:
        """This stack's own, made by whoever needs it first."""
        name = own(self._stack, "digest-key")
        try:
            found = await self._account.call("ssm", "get_parameter", Name=name, WithDecryption=True)
        except AwsError as error:
            if error.code != _ABSENT:
                raise
            await self._put_new(name, secrets.token_hex(32), {})
            found = await self._account.call("ssm", "get_parameter", Name=name, WithDecryption=True)
        return bytes.fromhex(found["Parameter"]["Value"])

    async def _put_new(self, name: str, value: str, tags: Mapping[str, str]) -> bool:
        """Whether there was none of that name."""
        tagged = pairs({MANAGED_BY: MANAGER, STACK: self._stack, **tags})
        try:
            await again(lambda: self._put(name, value, Tags=tagged))
        except AwsError as error:
            if error.code == _EXISTS:
                return False
            raise
        return True

    async def _put(self, name: str, value: str, **more: object) -> None:
        try:
            await self._account.call(
                "ssm", "put_parameter", Name=name, Value=value, Type="SecureString", Tier="Intelligent-Tiering", **more
            )
        except TransientError:
            raise
        except AwsError as error:
            if value in error.message or error.code == "ValidationException":
                # AWS quotes what it does not like.
                raise ProviderError(
                    f"AWS refuses the value for {name} ({error.code})",
                    hint="a value can't contain {{…}}, or control characters",
                ) from None
            raise

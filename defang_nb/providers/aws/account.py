"""The one door to AWS: an account and region as a stack names them, every call to it, and what its refusals mean.

Credentials come by boto3's own chain. A read is asked again by itself when AWS is busy; a change is not, since only the
deployment engine knows how to repeat one: it gets a `TransientError`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.aws import quotas
from defang_nb.providers.aws.again import again
from defang_nb.providers.aws.refusals import AwsError, refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

_Given = TypeVar("_Given")
Answer = dict[str, Any]
"""What AWS answers to one call, as boto3 gives it."""

_THREADS = 16
_READS = ("describe_", "list_", "get_", "head_", "batch_get_", "lookup_")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are to AWS: the account's twelve digits, and the ARN of the user or role."""

    account: str
    arn: str


def check_region(name: str) -> None:
    """Raises `UsageError` for a region that AWS does not have, as far as the installed boto3 knows. Asks nobody."""
    try:
        from botocore.session import Session
    except ImportError:
        raise ProviderError("AWS needs the package boto3", hint="pip install 'defang-nb[aws]'") from None
    _check_region(Session(), name)


def _check_region(session: Any, name: str) -> None:
    known = [
        each
        for part in session.get_available_partitions()
        for each in session.get_available_regions("ecs", partition_name=part)
    ]
    if name not in known:
        close = get_close_matches(name, known, n=1, cutoff=0.6)
        meant = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"AWS has no region {name!r}",
            hint=f"{meant}`aws ec2 describe-regions` lists them; a new one may need a newer boto3",
        )


class Account:
    """Cheap to make; boto3 is loaded, and credentials are looked for, at the first call. Safe to share between tasks.

    `settings` are a stack's: `AWS_REGION` and `AWS_PROFILE`; without them boto3's own chain says which.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._clients: dict[tuple[str, int], BaseClient] = {}
        self._making = threading.Lock()
        self._identity: Identity | None = None
        self._elsewhere: dict[str, Account] = {}

    def at(self, region: str) -> Account:
        """The same account in another region; the same each time."""
        if region not in self._elsewhere:
            self._elsewhere[region] = Account({**self._settings, "AWS_REGION": region})
        return self._elsewhere[region]

    @property
    def region(self) -> str:
        """Raises `UsageError` where neither the stack nor boto3's own chain names one."""
        found: str | None = self._session.region_name
        if not found:
            raise UsageError("no AWS region is named", hint="put AWS_REGION=… into the stack's file, or into the environment")
        return found

    @property
    def profile(self) -> str:
        """The one that credentials are looked for in: the stack's, else boto3's own choice (`default`)."""
        name: str = self._session.profile_name
        return name

    @property
    def source(self) -> str:
        """Where the credentials come from, in boto3's words (`env`, `sso`, `shared-credentials-file`); "" for nowhere."""
        try:
            found = self._session.get_credentials()
        except Exception as error:  # noqa: BLE001 edge: providers of credentials raise as they like
            raise refusal(error, "", "", self._named) from None
        return str(found.method) if found else ""

    @property
    def _named(self) -> str:
        return self._settings.get("AWS_PROFILE") or os.environ.get("AWS_PROFILE") or ""

    async def identity(self) -> Identity:
        """Who we are, asked once. Raises `ProviderError` for credentials that are missing, expired or refused."""
        if self._identity is None:
            answer = await self.call("sts", "get_caller_identity")
            self._identity = Identity(account=answer["Account"], arn=answer["Arn"])
        return self._identity

    async def call(self, service: str, operation: str, /, **arguments: Any) -> Answer:
        """One call: `call("ecs", "describe_clusters", clusters=[…])`, names as boto3's clients have them.

        Raises `AwsError` (with AWS's own code) for what AWS refuses, `TransientError` for what is worth trying again,
        `ProviderError` for credentials and connections, `UsageError` for a region or profile that does not exist.
        """
        try:
            return await self.asked(service, operation, lambda client: getattr(client, operation)(**arguments))
        except AwsError as error:
            raise await quotas.explained(self, error) from None

    async def pages(self, service: str, operation: str, /, **arguments: Any) -> list[Answer]:
        """Every page of a listing that boto3 knows how to page, in order."""
        return await self.asked(service, operation, lambda client: list(client.get_paginator(operation).paginate(**arguments)))

    def client(self, service: str, *, attempts: int = 1) -> BaseClient:
        """boto3's own client, for what is no call (presigned addresses, transfers). It may block: ask in a thread.

        With `attempts` it repeats by itself: for what may be done twice.
        """
        known = service, attempts
        with self._making:
            if known not in self._clients:
                from botocore.config import Config

                config = Config(
                    retries={"total_max_attempts": attempts, "mode": "standard"},
                    connect_timeout=5,
                    read_timeout=60,
                    max_pool_connections=_THREADS,
                )
                session, region = self._session, self.region
                _check_region(session, region)
                try:
                    self._clients[known] = session.client(service, config=config, region_name=region)
                except Exception as error:  # noqa: BLE001 edge: boto3 raises a dozen kinds for bad profiles, regions and config files
                    raise refusal(error, service, "", self._named) from None
            return self._clients[known]

    async def asked(self, service: str, operation: str, ask: Callable[[Any], _Given], *, attempts: int = 1) -> _Given:
        """What `ask` makes of boto3's `client`, in a thread; `operation` says what it does. Raises as `call` does."""

        async def once() -> _Given:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._ask, service, operation, ask, attempts)

        return await (again(once) if operation.startswith(_READS) else once())

    def _ask(self, service: str, operation: str, ask: Callable[[Any], _Given], attempts: int) -> _Given:
        client = self.client(service, attempts=attempts)
        try:
            return ask(client)
        except Exception as error:  # noqa: BLE001 edge: whatever boto3 raises becomes one of ours
            raise refusal(error, service, operation, self._named) from None

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="defang-nb-aws")

    @cached_property
    def _session(self) -> Any:
        try:
            import boto3
        except ImportError:
            raise ProviderError("AWS needs the package boto3", hint="pip install 'defang-nb[aws]'") from None
        _hush()
        try:
            return boto3.Session(
                profile_name=self._settings.get("AWS_PROFILE") or None, region_name=self._settings.get("AWS_REGION") or None
            )
        except Exception as error:  # noqa: BLE001 edge: a profile that does not exist, a configuration file that can't be read
            raise refusal(error, "", "", self._named) from None


def _hush() -> None:
    """boto3's debug log holds the bodies of requests and answers, secrets too: only who asks for that very log gets it."""
    for name in ("boto3", "botocore"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)


__all__ = ["Account", "Answer", "AwsError", "Identity"]

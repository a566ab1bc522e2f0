"""An object store that is a part of an S3 bucket: the keys under one prefix.

S3 keeps conditions by itself (If-None-Match, If-Match), on writes and on deletes. What it can't tell is whether a write
whose reply was lost took effect: so each write carries a mark of its own, by which it is known again. An object's version is
its ETag.

Sources: Amazon S3 User Guide, "Add preconditions to S3 operations with conditional requests".
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from defang_nb.errors import NotFoundError, ProviderError, UsageError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.again import again
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.provision.ports import ConflictError, Stored, TransientError

_LOST = frozenset({"PreconditionFailed", "412"})
_GONE = frozenset({"NoSuchKey", "404", "NotFound"})
_CONTENDED = frozenset({"ConditionalRequestConflict", "409", "OperationAborted"})
"""Two conditional requests met: S3 has decided neither, and asks to be asked again."""
_NO_BUCKET = "NoSuchBucket"
_MARK = "defang-write"
_PART_ATTEMPTS = 6
"""How often boto3 sends one part of a large file."""
_LONGEST_KEY = 1024
"""Bytes of UTF-8, the prefix among them."""


class BucketStore:
    """An `ObjectStore` in the keys of `bucket` that begin with `prefix` and a slash.

    All methods raise `ProviderError` when AWS refuses or can't be reached, and `UsageError` for a key that can't be one.
    """

    def __init__(self, account: Account, bucket: str, prefix: str) -> None:
        self._account = account
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    async def get(self, key: str) -> Stored | None:
        where = self._where(key)
        with self._explained():
            try:
                return await self._account.asked("s3", "get_object", lambda client: _whole(client.get_object(**where)))
            except AwsError as error:
                if error.code in _GONE:
                    return None
                raise

    async def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        where, mark = self._where(key), secrets.token_hex(8)
        conditions = {"IfMatch": if_match} if if_match is not None else {"IfNoneMatch": "*"} if if_absent else {}

        async def write() -> str:
            answer = await self._account.call("s3", "put_object", **where, **conditions, Body=data, Metadata={_MARK: mark})
            return str(answer["ETag"])

        async def written() -> str | None:
            """The version that an earlier attempt of this very write made, though its reply was lost."""
            with _absent_is_none():
                head = await self._account.call("s3", "head_object", **where)
                if head.get("Metadata", {}).get(_MARK) == mark:
                    return str(head["ETag"])
            return None

        with self._explained():
            return await self._change(key, write, written if conditions else None)

    async def list(self, prefix: str) -> list[str]:
        with self._explained():
            pages = await self._account.pages("s3", "list_objects_v2", Bucket=self._bucket, Prefix=self._prefix + prefix)
        return sorted(each["Key"].removeprefix(self._prefix) for page in pages for each in page.get("Contents", ()))

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        where = self._where(key)
        condition = {} if if_match is None else {"IfMatch": if_match}

        async def remove() -> str:
            await self._account.call("s3", "delete_object", **where, **condition)
            return ""

        async def removed() -> str | None:
            """Nothing is there any more, which is what was asked for, whoever of those that knew this version did it."""
            with _absent_is_none():
                await self._account.call("s3", "head_object", **where)
                return None
            return ""

        with self._explained():
            await self._change(key, remove, removed if condition else None)

    async def upload(self, key: str, path: Path) -> None:
        """In parts, several at once; an object of that name is replaced when all of them are there."""
        where = self._where(key)

        def send(client: Any) -> None:
            with _files(f"can't copy {path} to {self._name(key)}"), path.open("rb") as file:
                client.upload_fileobj(file, *where.values())

        with self._explained():
            await again(lambda: self._account.asked("s3", "upload_fileobj", send, attempts=_PART_ATTEMPTS))

    async def download(self, key: str, path: Path) -> None:
        """In parts, several at once; the file takes its name when all of them are there."""
        where = self._where(key)

        def take(client: Any) -> None:
            with _files(f"can't copy {self._name(key)} to {path}"):
                client.download_file(*where.values(), str(path))

        with self._explained():
            try:
                await again(lambda: self._account.asked("s3", "download_file", take, attempts=_PART_ATTEMPTS))
            except AwsError as error:
                if error.code not in _GONE:
                    raise
                # A HEAD, which begins a download, does not say whether the object or the bucket is gone.
                await self.list(key)
                raise NotFoundError(f"there is no object {key!r} in {self._name('')}") from None

    def address(self, key: str) -> str:
        """`s3://…`, as other programs name the object."""
        where = self._where(key)
        return f"s3://{where['Bucket']}/{where['Key']}"

    def opened(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """The object's content as a file that is read from the start, as far as one likes. Blocks: use it in a thread."""
        where = self._where(key)
        return contextlib.closing(self._account.client("s3").get_object(**where)["Body"])

    def _where(self, key: str) -> dict[str, str]:
        whole = self._prefix + key
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or len(whole.encode()) > _LONGEST_KEY:
            raise UsageError(f"{key!r} can't be the key of an object")
        return {"Bucket": self._bucket, "Key": whole}

    def _name(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"

    @staticmethod
    async def _change(key: str, change: Callable[[], Awaitable[str]], done: Callable[[], Awaitable[str | None]] | None) -> str:
        """Make a change until S3 has decided on it. `done` tells a refusal from the success of an attempt with no reply."""
        doubtful = False

        async def attempt() -> str:
            nonlocal doubtful
            try:
                return await change()
            except TransientError as error:
                doubtful = doubtful or not error.refused
                raise
            except AwsError as error:
                if error.code in _CONTENDED:
                    raise TransientError(error.message, refused=True) from None
                if done is None or error.code not in _LOST | _GONE:
                    raise
                if doubtful and (found := await done()) is not None:
                    return found
                raise ConflictError(key) from None

        return await again(attempt)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except AwsError as error:
            if error.code == _NO_BUCKET:
                raise ProviderError(
                    f"the bucket {self._bucket}, which holds all that is recorded of this stack, is not there any more",
                    hint="`cd install` makes a new one; the next `up` then takes over what ran before, by its tags",
                ) from None
            raise


def _whole(answer: dict[str, Any]) -> Stored:
    return Stored(data=answer["Body"].read(), version=str(answer["ETag"]))


@contextlib.contextmanager
def _absent_is_none() -> Iterator[None]:
    try:
        yield
    except AwsError as error:
        if error.code not in _GONE:
            raise


@contextlib.contextmanager
def _files(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProviderError(f"{what}: {error.strerror or error}") from error

"""A bucket keeps what every store must; and replies that are lost, or never were, make no difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.aws import again
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.store import BucketStore
from defang_nb.provision.ports import ConflictError, ObjectStore
from tests.providers.store_conformance import StoreConformance

BUCKET = "defang-test"


@pytest.fixture
async def bucket(account: Account, monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    monkeypatch.setattr(again, "_PAUSE", 0.01)
    await account.call("s3", "create_bucket", Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": account.region})
    await account.call("s3", "put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return BucketStore(account, BUCKET, "stacks/prod")


class TestBucket(StoreConformance):
    many = 60
    """moto is slow; that pages are followed is shown with smaller ones (test_account.py)."""

    @pytest.fixture
    def store(self, bucket: BucketStore) -> ObjectStore:
        return bucket


Answers = Callable[[Any], Any]
Fault = Callable[..., list[Any]]


@pytest.fixture
def fault(account: Account) -> Iterator[Fault]:
    """`fault(operation, answer, …)`: what becomes of its next calls, one by one; gives the requests as they are sent."""
    events, handlers = account.client("s3").meta.events, []

    def register(operation: str, *answers: Answers) -> list[Any]:
        handler, seen = _faults(answers)
        handlers.append((f"before-send.s3.{operation}", handler))
        events.register(*handlers[-1])
        return seen

    yield register
    for each in handlers:
        events.unregister(*each)


def _faults(answers: Sequence[Answers]) -> tuple[Answers, list[Any]]:
    left, seen = list(answers), []

    def handle(request: Any, **_: Any) -> Any:
        seen.append(request)
        return left.pop(0)(request) if left else None

    return handle, seen


def reply_lost(request: Any) -> None:
    URLLib3Session().send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def answer(status: int, code: str) -> Callable[[Any], Any]:
    class Raw:
        def stream(self, **_: Any) -> Any:
            yield f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()

    return lambda request: AWSResponse(request.url, status, {"content-type": "application/xml"}, Raw())


BUSY = answer(503, "SlowDown")
CONTENDED = answer(409, "ConditionalRequestConflict")


async def test_a_write_whose_reply_was_lost_is_known_again(fault: Fault, bucket: BucketStore) -> None:
    fault("PutObject", reply_lost, BUSY)
    version = await bucket.put("lease", b"mine", if_absent=True)
    found = await bucket.get("lease")
    assert found is not None
    assert (found.data, found.version) == (b"mine", version)


async def test_the_same_content_of_somebody_else_is_not_ours(account: Account, fault: Fault, bucket: BucketStore) -> None:
    def beaten(request: Any) -> None:
        """Somebody else writes the same bytes, and our own request never arrives."""
        account.client("s3").put_object(Bucket=BUCKET, Key="stacks/prod/lease", Body=b"1")
        raise ConnectionClosedError(endpoint_url=request.url)

    fault("PutObject", beaten)
    with pytest.raises(ConflictError):
        await bucket.put("lease", b"1", if_absent=True)


async def test_two_that_met_are_asked_again(fault: Fault, bucket: BucketStore) -> None:
    first = await bucket.put("head", b"1")
    sent = fault("PutObject", CONTENDED, CONTENDED)
    assert await bucket.put("head", b"2", if_match=first) != first
    assert len(sent) == 3


async def test_a_delete_whose_reply_was_lost_is_done(fault: Fault, bucket: BucketStore) -> None:
    version = await bucket.put("lease", b"1")
    fault("DeleteObject", reply_lost)
    await bucket.delete("lease", if_match=version)
    assert await bucket.get("lease") is None


async def test_a_store_that_stays_busy_is_an_error(fault: Fault, bucket: BucketStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "_LONGEST", 0.001)
    fault("PutObject", *[BUSY] * 20)
    with pytest.raises(ProviderError, match=r"throttles s3\.put_object"):
        await bucket.put("a", b"")


async def test_stacks_do_not_see_each_other(account: Account, bucket: BucketStore) -> None:
    other = BucketStore(account, BUCKET, "stacks/production")
    await other.put("a", b"other")
    assert await bucket.list("") == []
    assert await bucket.get("a") is None


async def test_a_large_file_goes_in_parts(account: Account, bucket: BucketStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 4 * 1024 * 10)
    await bucket.upload("archive", source)
    found = await account.call("s3", "head_object", Bucket=BUCKET, Key="stacks/prod/archive")
    assert found["ETag"].strip('"').endswith("-2")
    await bucket.download("archive", target)
    assert target.read_bytes() == source.read_bytes()


async def test_files_that_are_not_there_or_can_not_be_written(bucket: BucketStore, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="No such file"):
        await bucket.upload("a", tmp_path / "missing")
    await bucket.put("a", b"1")
    with pytest.raises(ProviderError, match="can't copy s3://"):
        await bucket.download("a", tmp_path / "missing" / "a")


async def test_a_bucket_that_was_deleted_by_hand(account: Account, tmp_path: Path) -> None:
    gone = BucketStore(account, "gone", "stacks/prod")
    for asking in (gone.get("a"), gone.put("a", b""), gone.list(""), gone.delete("a"), gone.download("a", tmp_path / "a")):
        with pytest.raises(ProviderError, match=r"bucket gone.* is not there any more") as error:
            await asking
        assert "cd install" in error.value.hint


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../../b", "a/", "a\0b", "x" * 1020])
async def test_a_key_never_leads_out_of_the_prefix(key: str) -> None:
    with pytest.raises(UsageError):
        await BucketStore(Account({}), BUCKET, "stacks/prod").put(key, b"")

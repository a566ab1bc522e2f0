"""Configuration values in SSM: kept as SecureStrings, told by digests only, and in no log or error."""

from __future__ import annotations

import logging

import pytest

from defang_nb.errors import DefangError, UsageError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.config import ParameterConfigStore, parameter

SECRET = "s3cret\nof two lines ☃"


@pytest.fixture
def store(account: Account) -> ParameterConfigStore:
    return ParameterConfigStore(account, "prod")


async def test_a_value_is_kept_encrypted_until_it_is_removed(account: Account, store: ParameterConfigStore) -> None:
    await store.set("app", "TOKEN", "before")
    await store.set("app", "TOKEN", SECRET)
    found = await account.call("ssm", "get_parameter", Name="/Defang/app/prod/TOKEN", WithDecryption=True)
    assert (found["Parameter"]["Type"], found["Parameter"]["Value"]) == ("SecureString", SECRET)
    assert await store.names("app") == ["TOKEN"]
    assert await store.remove("app", "TOKEN")
    assert not await store.remove("app", "TOKEN")
    assert await store.names("app") == []


async def test_projects_and_stacks_do_not_see_each_other(account: Account, store: ParameterConfigStore) -> None:
    for n in range(12):
        await store.set("one", f"K{n:02}", "1")
    await store.set("two", "C", "1")
    await ParameterConfigStore(account, "staging").set("one", "B", "1")
    await store.digests("one")
    assert await store.names("one") == [f"K{n:02}" for n in range(12)]
    assert await store.names("two") == ["C"]
    assert await store.names("three") == []


async def test_a_digest_changes_with_its_value_only(account: Account, store: ParameterConfigStore) -> None:
    await store.set("app", "A", "same")
    await store.set("app", "B", "same")
    first = await store.digests("app")
    assert first == await ParameterConfigStore(account, "prod").digests("app")
    assert first["A"] != first["B"]
    await store.set("app", "A", "other")
    second = await store.digests("app")
    assert (second["A"] != first["A"], second["B"] == first["B"]) == (True, True)
    other = ParameterConfigStore(account, "staging")
    await other.set("app", "B", "same")
    assert (await other.digests("app"))["B"] != first["B"]
    key = await account.call("ssm", "get_parameter", Name="/Defang/_stacks/prod/digest-key")
    assert key["Parameter"]["Type"] == "SecureString"


async def test_no_value_is_in_any_log(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        store = ParameterConfigStore(account, "prod")
        await store.set("app", "TOKEN", "s3cret")
        await store.digests("app")
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("value", ["", "s3cret" * 2000])
async def test_a_value_that_ssm_can_not_keep(value: str) -> None:
    with pytest.raises(UsageError, match="TOKEN") as error:
        await ParameterConfigStore(Account({}), "prod").set("app", "TOKEN", value)
    assert "s3cret" not in f"{error.value} {error.value.hint}"


async def test_what_aws_refuses_is_not_quoted(account: Account, store: ParameterConfigStore) -> None:
    def refuse(**_: object) -> tuple[object, dict[str, object]]:
        message = "Value 's3cret' at 'value' failed to satisfy constraint"

        class Refused:
            status_code = 400

        return Refused(), {"Error": {"Code": "ValidationException", "Message": message}}

    events = account.client("ssm").meta.events
    events.register("before-call.ssm.PutParameter", refuse)
    try:
        with pytest.raises(DefangError, match="/Defang/app/prod/TOKEN") as error:
            await store.set("app", "TOKEN", "s3cret")
    finally:
        events.unregister("before-call.ssm.PutParameter", refuse)
    assert "s3cret" not in f"{error.value} {error.value.hint} {error.value.__cause__}"


@pytest.mark.parametrize(("project", "key"), [("app", "A/B"), ("app", ""), ("../x", "A"), ("_stacks", "A"), ("", "A")])
def test_a_name_never_leads_elsewhere(project: str, key: str) -> None:
    with pytest.raises(UsageError):
        parameter(project, "prod", key)

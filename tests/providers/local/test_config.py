"""Configuration values: kept from everybody else, none lost, and never told by their digests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from defang_nb.errors import DefangError, ProviderError, UsageError
from defang_nb.providers.local.config import FileConfigStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "stack" / "config"


async def test_a_value_is_kept_for_the_launcher_until_it_is_removed(folder: Path) -> None:
    store = FileConfigStore(folder)
    await store.set("app", "TOKEN", "s3cret\nof two lines ☃")
    assert store.values("app") == {"TOKEN": "s3cret\nof two lines ☃"}
    assert await store.names("app") == ["TOKEN"]
    assert await store.remove("app", "TOKEN")
    assert not await store.remove("app", "TOKEN")
    assert store.values("app") == {}


async def test_projects_do_not_see_each_other(folder: Path) -> None:
    store = FileConfigStore(folder)
    await store.set("one", "B", "1")
    await store.set("one", "A", "1")
    await store.set("two", "C", "1")
    assert await store.names("one") == ["A", "B"]
    assert await store.names("two") == ["C"]
    assert await store.names("three") == []


async def test_sets_at_the_same_time_are_all_kept(folder: Path) -> None:
    stores = [FileConfigStore(folder) for _ in range(20)]
    await asyncio.gather(*(store.set("app", f"K{n}", str(n)) for n, store in enumerate(stores)))
    assert stores[0].values("app") == {f"K{n}": str(n) for n in range(20)}


async def test_nobody_else_can_read_any_file(folder: Path) -> None:
    store = FileConfigStore(folder)
    await store.set("app", "TOKEN", "s3cret")
    await store.digests("app")
    assert _modes(folder) == {"config": 0o700, "app.json": 0o600, ".digest-key": 0o600}


def _modes(folder: Path) -> dict[str, int]:
    """Of the folder, and of all in it that has a content."""
    paths = [folder, *(path for path in folder.iterdir() if path.stat().st_size)]
    return {path.name: path.stat().st_mode & 0o777 for path in paths}


async def test_a_digest_changes_with_its_value_only(folder: Path) -> None:
    store = FileConfigStore(folder)
    await store.set("app", "A", "same")
    await store.set("app", "B", "same")
    first = await store.digests("app")
    assert first == await FileConfigStore(folder).digests("app")
    assert first["A"] != first["B"]
    await store.set("app", "A", "other")
    second = await store.digests("app")
    assert second["A"] != first["A"]
    assert second["B"] == first["B"]
    assert "same" not in "".join(first.values())


async def test_another_stack_has_other_digests(tmp_path: Path) -> None:
    digests = []
    for stack in ("one", "two"):
        store = FileConfigStore(tmp_path / stack / "config")
        await store.set("app", "A", "same")
        digests.append(await store.digests("app"))
    assert digests[0] != digests[1]


@pytest.mark.parametrize("key", ["", "1A", "A B", "A=B", "../A"])
async def test_a_name_that_no_environment_could_hold_is_refused(folder: Path, key: str) -> None:
    with pytest.raises(UsageError):
        await FileConfigStore(folder).set("app", key, "1")


@pytest.mark.parametrize("project", ["", "../other", "A", ".digest-key"])
async def test_a_project_never_leads_out_of_the_folder(folder: Path, project: str) -> None:
    with pytest.raises(UsageError):
        await FileConfigStore(folder).set(project, "A", "1")


async def test_a_broken_file_is_named_and_not_quoted(folder: Path) -> None:
    store = FileConfigStore(folder)
    await store.set("app", "TOKEN", "s3cret")
    path = folder / "app.json"
    path.write_text('{"TOKEN": "s3cret')
    with pytest.raises(ProviderError, match=r"app\.json") as caught:
        store.values("app")
    assert "s3cret" not in str(caught.value)
    assert isinstance(caught.value, DefangError)
    assert caught.value.hint

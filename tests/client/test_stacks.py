"""Stacks are found as the Defang CLI finds them; times are read as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from defang_nb.client.stacks import load_stack, stack_names
from defang_nb.client.times import parse_time
from defang_nb.errors import NotFoundError, UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DEFANG_BIND", "DEFANG_ENGINE", "DEFANG_EXCLUDE_NEWER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".defang").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    return tmp_path


def test_the_built_in_stack_needs_no_file(folder: Path) -> None:
    stack = load_stack("local", folder)
    assert (stack.name, stack.provider, stack.settings) == ("local", "local", {})


def test_a_file_above_is_found_and_read(folder: Path) -> None:
    (folder / ".defang" / "beta").write_text('DEFANG_PROVIDER="aws"\n# where\nAWS_REGION=eu-north-1\n')
    stack = load_stack("beta", folder / "deep" / "er")
    assert (stack.provider, stack.settings) == ("aws", {"AWS_REGION": "eu-north-1"})
    assert {"beta", "local"} <= set(stack_names(folder / "deep"))


def test_the_nearest_file_wins_and_may_redefine_local(folder: Path) -> None:
    (folder / ".defang" / "local").write_text("DEFANG_CD_IDLE=1\n")
    (folder / "deep" / ".defang").mkdir()
    (folder / "deep" / ".defang" / "local").write_text("DEFANG_CD_IDLE=2\n")
    assert load_stack("local", folder / "deep" / "er").settings == {"DEFANG_CD_IDLE": "2"}


def test_named_settings_come_from_the_environment_and_the_file_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFANG_EXCLUDE_NEWER", "2024-01-01")
    monkeypatch.setenv("DEFANG_ACCESS_TOKEN", "secret")
    assert load_stack("local", folder).settings == {"DEFANG_EXCLUDE_NEWER": "2024-01-01"}
    (folder / ".defang" / "local").write_text("DEFANG_EXCLUDE_NEWER=2023-01-01\n")
    assert load_stack("local", folder).settings == {"DEFANG_EXCLUDE_NEWER": "2023-01-01"}


def test_an_unknown_stack_is_not_found_and_known_ones_are_named(folder: Path) -> None:
    (folder / ".defang" / "beta").write_text("DEFANG_PROVIDER=aws\n")
    with pytest.raises(NotFoundError, match="no stack 'gamma'") as caught:
        load_stack("gamma", folder)
    assert "beta, local" in caught.value.hint


@pytest.mark.parametrize("name", ["", "Beta", "../etc", "a-b"])
def test_what_is_no_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError):
        load_stack(name, folder)


def test_a_file_that_can_not_be_read_is_named(folder: Path) -> None:
    (folder / ".defang" / "beta").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="beta"):
        load_stack("beta", folder)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), (12.5, 12.5), ("12.5", 12.5), ("90s", 910.0), ("10m", 400.0), ("1h1m1s", -2661.0), ("2d", 1000.0 - 172800)],
)
def test_times(text: float | str | None, seconds: float | None) -> None:
    assert parse_time(text, now=1000.0) == seconds


def test_dates() -> None:
    assert parse_time("1970-01-01T00:01:00Z") == 60.0
    assert parse_time("1970-01-01T01:01:00+01:00") == 60.0


@pytest.mark.parametrize("text", ["", "soon", "10x", "m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_time(text)

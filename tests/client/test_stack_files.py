"""Stacks are made, changed, remembered and removed as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from defang_nb import errors
from defang_nb.client import api, stack_files
from defang_nb.client.stacks import load_stack


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DEFANG_STACK", raising=False)
    monkeypatch.setenv("DEFANG_NB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_stack_is_made_listed_and_removed(place: Path) -> None:
    made = api.stack_new("prod", provider="aws", region="eu-central-1", profile="my team", mode="Balanced")
    assert (made.provider, made.region, made.profile, made.mode) == ("aws", "eu-central-1", "my team", "balanced")
    assert load_stack("prod", place).settings["AWS_PROFILE"] == "my team"
    assert [each.name for each in api.stack_ls()] == ["local", "prod"]
    api.stack_rm("prod", force=True)
    assert [each.name for each in api.stack_ls()] == ["local"]


def test_a_change_keeps_comments_order_and_keys_that_we_do_not_know(place: Path) -> None:
    file = place / ".defang" / "prod"
    file.parent.mkdir()
    file.write_text("# ours\nexport DEFANG_MODE=affordable # cheap\nX_SECRET='a # b'\nDEFANG_PROVIDER=aws\n\n# end\n")
    shown = api.stack_new("prod", mode="balanced", region="us-east-1", change=True)
    assert file.read_text() == (
        "# ours\nexport DEFANG_MODE=balanced # cheap\nX_SECRET='a # b'\nDEFANG_PROVIDER=aws\n\n# end\nAWS_REGION=us-east-1\n"
    )
    assert shown.others == ("X_SECRET",)
    assert "a # b" not in repr(shown)


def test_a_stack_is_not_written_over(place: Path) -> None:
    api.stack_new("prod", mode="balanced")
    with pytest.raises(errors.UsageError, match="already") as refused:
        api.stack_new("prod", mode="affordable")
    assert "--change" in refused.value.hint
    assert api.stack_show("prod").mode == "balanced"


@pytest.mark.parametrize(
    ("said", "match", "hint"),
    [
        ({"provider": "asw"}, "no provider 'asw'", "did you mean aws?"),
        ({"mode": "ballanced"}, "no mode 'ballanced'", "did you mean balanced?"),
        ({"region": "eu-cental-1"}, "no region 'eu-cental-1'", "did you mean eu-central-1?"),
        ({"provider": "local", "region": "eu-central-1"}, "are for AWS", "--provider aws"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_written(
    place: Path, said: dict[str, str], match: str, hint: str
) -> None:
    with pytest.raises(errors.UsageError, match=match) as refused:
        api.stack_new("prod", **said)
    assert hint in refused.value.hint
    assert not (place / ".defang").exists()


def test_the_default_is_remembered_and_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.stack_default() == "local"
    api.stack_new("beta", provider="local")
    api.stack_default("beta")
    (place / "deep").mkdir()
    assert load_stack(None, place / "deep").name == "beta"
    assert [each.name for each in api.stack_ls() if each.default] == ["beta"]
    assert api.whoami().stack == "beta"
    monkeypatch.setenv("DEFANG_STACK", "local")
    assert api.stack_default() == "local"
    monkeypatch.delenv("DEFANG_STACK")
    api.stack_rm("beta")
    assert api.stack_default() == "local"
    with pytest.raises(errors.NotFoundError):
        api.stack_default("nobody")


def test_a_stack_with_something_deployed_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.stack_new("beta", provider="local")
    monkeypatch.setattr(stack_files, "deployed", lambda name, folder: ["shop"])
    with pytest.raises(errors.UsageError, match="shop") as refused:
        api.stack_rm("beta")
    assert "defang-nb down -s beta -p shop" in refused.value.hint
    assert (place / ".defang" / "beta").exists()


def test_the_built_in_stack_can_not_be_removed() -> None:
    with pytest.raises(errors.UsageError, match="built in"):
        api.stack_rm("local")


def test_on_ones_own_machine_one_is_its_user() -> None:
    found = api.whoami(stack="local")
    assert found.identity
    assert found.machine

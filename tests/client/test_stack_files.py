"""Stacks are made, changed, remembered and removed as files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from defang_nb import errors
from defang_nb.client import api
from defang_nb.client.stacks import load_stack
from defang_nb.model.events import Kind
from defang_nb.model.project import Project
from defang_nb.model.request import DeployRequest
from defang_nb.model.resource import Recorded
from defang_nb.model.stack import Stack
from defang_nb.providers.history import History
from defang_nb.providers.registry import provider_for
from defang_nb.provision.journal import End
from defang_nb.provision.lease import Lease
from defang_nb.provision.owner import this_process
from defang_nb.provision.state import State


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


async def record(stack: str) -> None:
    """What a deployment would have left in the stack's store."""
    request = DeployRequest(
        deployment="d1", kind=Kind.UP, stack=Stack(name=stack), project=Project(name="shop", services={}), by="me"
    )
    store = await provider_for(request.stack).store()
    await History(store).begin(request, 1.0)
    async with Lease(store, "shop", deployment="d1", owner=this_process()) as lease:
        state = await State.open(store, "shop", lease=lease)
        recorded = Recorded(urn="shop/t/web", type="t", id="web", inputs={}, input_hash="")
        await state.append(End(urn=recorded.urn, recorded=recorded, deployment="d1", time=1.0))


def test_a_stack_with_something_deployed_stays(place: Path) -> None:
    api.stack_new("beta", provider="local")
    asyncio.run(record("beta"))
    with pytest.raises(errors.UsageError, match="shop") as refused:
        api.stack_rm("beta")
    assert "defang-nb down -s beta -p shop" in refused.value.hint
    assert (place / ".defang" / "beta").exists()
    api.stack_rm("beta", force=True)
    assert not (place / ".defang" / "beta").exists()


def test_the_built_in_stack_can_not_be_removed() -> None:
    with pytest.raises(errors.UsageError, match="built in"):
        api.stack_rm("local")


def test_on_ones_own_machine_one_is_its_user() -> None:
    found = api.whoami(stack="local")
    assert found.identity
    assert found.machine

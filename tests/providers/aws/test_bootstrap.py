"""The bootstrap of an account: made, found by one read, resumed, renewed, taken down; and what its roles may do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from defang_nb.errors import ProviderError, UsageError
from defang_nb.model.resource import Recorded
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap import template
from defang_nb.providers.aws.bootstrap.stack import BootstrapStack, store_of
from defang_nb.provision.journal import End
from defang_nb.provision.lease import Lease
from defang_nb.provision.owner import this_process
from defang_nb.provision.state import State
from tests.aws.handle import Simulation
from tests.providers.aws.conftest import REGION

ACCOUNT = "123456789012"
RECORDED = Recorded(urn="shop/t/a", type="t", id="a", inputs={}, input_hash="")
BUCKET = f"defang-nb-{ACCOUNT}-{REGION}"


@pytest.fixture
def stack(account: Account) -> BootstrapStack:
    return BootstrapStack(account, pace=0.01)


def live() -> Any:
    """CloudFormation's own record of the stack, to be put into a state."""
    from moto.cloudformation.models import cloudformation_backends

    return next(iter(cloudformation_backends[ACCOUNT][REGION].stacks.values()))


@pytest.mark.filterwarnings("ignore:Tried to parse")
async def test_it_is_made_once_and_found_by_one_read(stack: BootstrapStack, account: Account) -> None:
    assert await stack.base() is None
    said: list[str] = []
    base = await stack.install(said.append)
    assert (base.account, base.region, base.bucket, len(base.subnets)) == (ACCOUNT, REGION, BUCKET, 2)
    assert said[0].startswith("preparing the account")
    assert await stack.install(said.append) == base == await stack.base()
    assert len([each for each in said if each.startswith("preparing")]) == 1


@pytest.mark.filterwarnings("ignore:Tried to parse")
@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
async def test_what_an_attempt_that_failed_left_is_made_anew(stack: BootstrapStack, state: str) -> None:
    await stack.install()
    live().status = state
    said: list[str] = []
    assert (await stack.install(said.append)).bucket == BUCKET
    assert f"({state})" in said[0]
    assert (await stack.status()).state == "CREATE_COMPLETE"


@pytest.mark.filterwarnings("ignore:Tried to parse")
async def test_an_older_revision_is_renewed_and_a_newer_one_is_left(
    stack: BootstrapStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.install()
    now, newer = template.REVISION, template.REVISION + 1
    monkeypatch.setattr("defang_nb.providers.aws.bootstrap.stack.REVISION", newer)
    monkeypatch.setattr(template, "REVISION", newer)
    assert not (await stack.status()).current
    assert (await stack.install()).revision == newer
    monkeypatch.setattr("defang_nb.providers.aws.bootstrap.stack.REVISION", now)
    before = live().status
    assert (await stack.install()).revision == newer
    assert live().status == before == "UPDATE_COMPLETE"


@pytest.mark.filterwarnings("ignore:Tried to parse")
async def test_it_goes_when_nothing_is_deployed_but_for_the_bucket_which_the_next_one_takes(
    stack: BootstrapStack, account: Account
) -> None:
    await stack.install()
    store = store_of(account, BUCKET, "prod")
    async with Lease(store, "shop", deployment="d", owner=this_process()) as lease:
        state = await State.open(store, "shop", lease=lease)
        await state.append(End(urn="shop/t/a", recorded=RECORDED, deployment="d", time=1.0))
    with pytest.raises(UsageError, match=r"shop \(prod\)"):
        await stack.teardown()
    async with Lease(store, "shop", deployment="d", owner=this_process()) as lease:
        state = await State.open(store, "shop", lease=lease)
        await state.append(End(urn="shop/t/a", recorded=None, deployment="d", time=2.0))
    assert await stack.teardown() == BUCKET
    assert (await stack.status()).state == ""
    await account.call("s3", "head_bucket", Bucket=BUCKET)
    assert (await stack.install()).bucket == BUCKET
    assert await stack.teardown() == BUCKET
    assert await stack.teardown() == BUCKET


async def test_what_is_denied_is_named(simulation: Simulation) -> None:
    simulation.faults(
        {"kind": "denied", "calls": "cloudformation:CreateStack", "message": "not authorized: cloudformation:CreateStack"}
    )
    with pytest.raises(ProviderError, match=r"cloudformation.create_stack: .*cloudformation:CreateStack"):
        await BootstrapStack(Account({"AWS_REGION": REGION}), pace=0.01).install()


def test_no_policy_is_broader_than_it_has_to_be() -> None:
    said = {"Account": ACCOUNT, "Region": REGION, "Partition": "aws", "Bucket": BUCKET}
    for name in ("execution", "kaniko", "cd", "boundary"):
        document = template.policy(name, said)
        assert len(json.dumps(document)) < 10_240, "IAM keeps no longer one in a role"
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert "*" not in actions
            assert not any(each.startswith("iam:") and "*" in each for each in actions)
    whole = template.template(ACCOUNT, REGION, with_bucket=True)
    bucket = whole["Resources"]["Bucket"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    text = json.dumps(whole)
    assert "AdministratorAccess" not in text
    assert "PowerUserAccess" not in text
    assert len(text) < 51_200, "CloudFormation takes no longer one in a call"

"""A launch of cd that fails, or that nobody goes on with, stands in nobody's way."""

from __future__ import annotations

import pytest

from defang_nb.errors import CdError, ProviderError
from defang_nb.model.stack import Stack
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.launch.launcher import Launcher
from defang_nb.providers.aws.launch.record import Launch, Launches
from defang_nb.providers.keys import make_keys
from tests.aws.account import Yard
from tests.aws.handle import ACCOUNT, REGION
from tests.provision.memory import MemoryStore

CLAIMED = Launch(id="theirs", by="ada", began=0.0, version="1")


class BeganError(Exception):
    """A launch of our own has come as far as to its image."""


class Place:
    """A stack in an account that is prepared."""

    def __init__(self, yard: Yard) -> None:
        account = Account({"AWS_REGION": REGION})
        self.launches = Launches(account, MemoryStore(), "s")
        self.image = "busybox"
        base = Base(
            account=ACCOUNT, region=REGION, bucket="", cluster=yard.cluster, vpc=yard.vpc, subnets=tuple(yard.subnets),
            services_group=yard.group, public_group=yard.group, cd_group=yard.group, log_group="yard", execution_role="",
            cd_role="", kaniko_role="", cd_image_role="", boundary="", cd_task="cd", cd_repository="", revision=1,
        )  # fmt: skip
        stack = Stack(name="s", provider="aws", settings={"DEFANG_CD_ALLOW": "127.0.0.1/32"})
        self.launcher = Launcher(account, base, stack, self.launches, self._image)

    async def _image(self) -> str:
        if not self.image:
            raise BeganError
        return self.image


async def test_a_claim_that_nobody_goes_on_with_is_taken_over_at_once(yard: Yard) -> None:
    place = Place(yard)
    await place.launches.claim(CLAIMED, "")
    place.image = ""
    with pytest.raises(BeganError):
        await place.launcher.launch()


async def test_the_keys_of_a_cd_that_was_killed_go_with_the_next_launch(yard: Yard) -> None:
    place = Place(yard)
    await place.launches.claim(CLAIMED, "")
    await place.launches.give(CLAIMED.id, *make_keys())
    yard.simulation.behaviours({"match": "cd", "exit_code": 1})
    with pytest.raises(CdError, match="ended at its start"):
        await place.launcher.launch()
    assert yard.client("ssm").describe_parameters()["Parameters"] == []


async def test_a_launch_that_fails_takes_its_claim_and_its_keys_back(yard: Yard) -> None:
    place = Place(yard)
    yard.simulation.faults({"kind": "denied", "calls": "ecs:RunTask"})
    with pytest.raises(ProviderError, match=r"ecs:RunTask|run_task"):
        await place.launcher.launch()
    assert await place.launches.latest() == (None, "")
    assert yard.client("ssm").describe_parameters()["Parameters"] == []


async def test_keys_are_given_whatever_becomes_of_the_replies(yard: Yard) -> None:
    launches = Place(yard).launches
    yard.simulation.faults(
        {"kind": "throttle", "calls": "ssm:PutParameter", "times": 2}, {"kind": "lost", "calls": "ssm:PutParameter", "times": 1}
    )
    cd, client = make_keys()
    await launches.give("mine", cd, client)
    assert (await launches.take("mine", "cd"), await launches.take("mine", "client")) == (cd, client)
    yard.simulation.faults({"kind": "throttle", "calls": "ssm:DeleteParameters", "times": 1})
    await launches.forget("mine")
    assert await launches.take("mine", "cd") is None

"""A project on an account that has never seen us, by the command line: prepared, live, changed, down, and away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.handle import simulated
from tests.aws.user import SECRET, STACK, User, until_said

pytestmark = pytest.mark.e2e

EXIT_CANCELLED = 7


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with simulated(log=tmp_path / "aws.log") as simulation:
        yield User(simulation, tmp_path)


def test_from_an_empty_account_to_live_and_to_an_empty_account(user: User) -> None:
    assert "is not prepared" in user.says("ps", code=11)
    user.says("config", "set", f"PASSWORD={SECRET}")
    first = user.says("up")
    assert "Vpc made" in first
    assert "building cd's image" in first
    assert "web: ✔ live" in first
    [cd] = user.tasks("defang-cd")

    assert "nothing to change" in user.says("up")
    assert user.counts.mutations(besides=("s3", "ec2")) == {}
    assert user.tasks("defang-cd") == [cd], "the same cd serves both"

    user.change('ANSWER: "1"', 'ANSWER: "2"')
    assert "1 changed" in (said := user.says("up")) or "changed" in said
    changed = user.counts.mutations(besides=("s3", "ec2"))
    assert sum(changed.values()) <= 3, changed

    listed = [json.loads(line) for line in user.says("ps", "--json").splitlines()]
    assert {each["service"]: each["state"] for each in listed} == {"api": "running", "migrate": "exited", "web": "running"}
    assert user.simulation.search(SECRET) == []

    assert "deleted" in (said := user.says("down", "--yes"))
    assert "stays on purpose: configuration values (PASSWORD): `config rm` removes them" in said
    assert "stays on purpose: the account's preparation" in said
    assert "take the preparation" in user.says("cd", "teardown", code=2)
    assert "what stays: the bucket" in user.says("cd", "teardown", "--yes")
    assert "not prepared" in user.says("cd", "status")
    left = {each.get("Key", each.get("Name", "")) for each in user.simulation.client("iam").list_roles()["Roles"]}
    assert left == set()
    assert user.simulation.client("ec2").describe_security_groups(Filters=[{"Name": "tag-key", "Values": ["defang:urn"]}])[
        "SecurityGroups"
    ] == []  # fmt: skip
    assert user.simulation.problems() == []


def test_a_cd_that_never_comes_up_is_told_with_its_last_words(user: User) -> None:
    user.simulation.behaviours({"match": "defang-cd", "exit_code": 1, "lines": ["ImportError: no module named boto3"]})
    user.says("config", "set", f"PASSWORD={SECRET}")
    said = user.says("up", code=10)
    assert "cd ended at its start" in said
    assert "ImportError: no module named boto3" in said
    assert user.simulation.client("ssm").describe_parameters(
        ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/Defang/_stacks/prod/cd-"]}]
    )["Parameters"] == []  # fmt: skip
    user.simulation.behaviours()
    assert "✔ live" in user.says("up")
    user.says("down", "--yes")


def test_cd_leaves_no_open_door_and_no_keys_behind(user: User) -> None:
    (user.app / ".defang" / "prod").write_text(STACK.replace("=60", "=1"))
    user.says("config", "set", f"PASSWORD={SECRET}")
    user.says("up")
    ecs = user.simulation.client("ecs")
    from tests.aws.handle import until

    until(lambda: not user.tasks("defang-cd"), "cd has ended itself")
    until(lambda: len(ecs.list_tasks(cluster="defang", family="defang-cd", desiredStatus="STOPPED")["taskArns"]) == 1)
    [group] = [
        each for each in user.simulation.client("ec2").describe_security_groups()["SecurityGroups"]
        if each["Description"].startswith("cd:")
    ]  # fmt: skip
    assert group["IpPermissions"] == []
    names = [each["Name"] for each in user.simulation.client("ssm").describe_parameters()["Parameters"]]
    assert [each for each in names if "/cd-" in each] == []


def test_a_cd_that_can_not_be_reached_is_spoken_to_through_the_store(user: User) -> None:
    (user.app / ".defang" / "prod").write_text(STACK + "DEFANG_CD_TRANSPORT=store\n")
    user.says("config", "set", f"PASSWORD={SECRET}")
    assert "web: ✔ live" in user.says("up")
    assert "nothing to change" in user.says("up")
    user.simulation.behaviours({"match": "slow", "exit_code": 0, "after": 600})
    user.change("command: migrate", "command: slow")
    with user.begins("up") as begun:
        until_said(begun, "migrate: ◐ starting")
        assert "was asked to end" in user.says("cancel", "latest")
        begun.communicate(timeout=60)
        assert begun.returncode == EXIT_CANCELLED
    user.says("down", "--yes")

"""A project on an account that has never seen us, by the command line: prepared, live, changed, down, and away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.handle import Counts, Simulation, simulated

pytestmark = pytest.mark.e2e

SECRET = "hunter2-hunter2"
COMPOSE = """\
name: shop
services:
  web:
    image: nginx
    ports: [80]
    environment: {PASSWORD: , ANSWER: "1", API: "http://api:8000"}
    depends_on: {migrate: {condition: service_completed_successfully}}
  api: {build: ., expose: [8000], deploy: {replicas: 2}}
  migrate: {image: python, command: migrate, restart: "no"}
"""
STACK = "DEFANG_PROVIDER=aws\nAWS_REGION=eu-central-1\nDEFANG_CD_ALLOW=127.0.0.1\nDEFANG_CD_IDLE=60\n"
KEPT = {"s3", "cloudformation"}
"""Services whose calls keep the record, or look at the bootstrap."""


class User:
    """Somebody with a folder, a terminal and an account."""

    def __init__(self, simulation: Simulation, folder: Path) -> None:
        self.simulation = simulation
        self.app = folder / "app"
        self.environment = simulation.environment() | {"DEFANG_NB_HOME": str(folder / "home")}
        self.counts = Counts({}, {})
        (self.app / ".defang").mkdir(parents=True)
        (self.app / ".defang" / "prod").write_text(STACK)
        (self.app / "compose.yaml").write_text(COMPOSE)
        (self.app / "Dockerfile").write_text("FROM python\nCOPY . .\n")
        (self.app / ".dockerignore").write_text("*\n!Dockerfile\n")

    def says(self, *words: str, code: int = 0) -> str:
        """What the command writes; the calls that it took are in `counts`."""
        before = self.simulation.counts()
        command = [sys.executable, "-m", "defang_nb", *words, "--stack", "prod"]
        done = subprocess.run(command, cwd=self.app, env=self.environment, capture_output=True, text=True, timeout=280)
        self.counts = self.simulation.counts() - before
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def change(self, old: str, new: str) -> None:
        file = self.app / "compose.yaml"
        file.write_text(file.read_text().replace(old, new))

    def tasks(self, family: str) -> list[str]:
        client = self.simulation.client("ecs")
        return list(client.list_tasks(cluster="defang", family=family)["taskArns"])


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

    assert "deleted" in user.says("down", "--yes")
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
    begun = subprocess.Popen(
        [sys.executable, "-m", "defang_nb", "up", "--stack", "prod"], cwd=user.app, env=user.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert begun.stdout is not None
    for line in begun.stdout:
        if "migrate: ◐ starting" in line:
            break
    assert "was asked to end" in user.says("cancel", "latest")
    begun.stdout.read()
    assert begun.wait(60) != 0
    begun.stdout.close()
    user.says("down", "--yes")

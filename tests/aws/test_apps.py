"""An example app on the simulated AWS, from an account that never saw us to one that has nothing of it: all parts are real."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from defang_nb.version import __version__
from tests.aws.handle import REGION, ROOT, Simulation, until
from tests.e2e.dockerd import Dockerd
from tests.e2e.registry import Registry

pytestmark = pytest.mark.e2e

APPS = ROOT / "notebooks" / "apps"
STACK = f"DEFANG_PROVIDER=aws\nAWS_REGION={REGION}\nDEFANG_CD_IDLE=5\nDEFANG_CD_ALLOW=127.0.0.1/32\n"
PROJECTS = ("hello", "api", "dashboard", "shop", "chat")
CD = {("ecs", "RunTask"), ("ec2", "AuthorizeSecurityGroupIngress"), ("ec2", "RevokeSecurityGroupIngress")}
"""What it takes to start cd, and to let it be reached."""


@dataclass
class Desk:
    """A person's folder with an app in it, and the command line."""

    folder: Path
    simulation: Simulation

    def run(self, *arguments: str) -> str:
        environment = self.simulation.environment() | {"DEFANG_NB_HOME": str(self.folder / "home"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "defang_nb", *arguments, "--stack", "aws"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.simulation.problems()}"
        return done.stdout

    def services(self, project: str) -> dict[str, Any]:
        found = [json.loads(line) for line in self.run("ps", "-p", project, "--json").splitlines()]
        return {each["service"]: each for each in found}


@pytest.fixture
def desk(real_simulation: Simulation, dockerd: Dockerd, registry: Registry, tmp_path: Path) -> Iterator[Desk]:
    """cd runs as a process, with the code that is here: of its image there is no more than its name."""
    dockerd.docker("tag", "python:3.12-slim", "python:3-slim")
    registry.give(dockerd, "python:3.12-slim", "python:3-slim")
    real_simulation.runners(("^defang-build-cd", "instant"))
    (tmp_path / ".defang").mkdir()
    (tmp_path / ".defang" / "aws").write_text(STACK)
    yield Desk(tmp_path, real_simulation)
    real_simulation.reset()


def test_hello(desk: Desk) -> None:
    shutil.copytree(APPS / "hello", desk.folder, dirs_exist_ok=True)
    desk.run("up")
    web = desk.services("hello")["web"]
    url = web["endpoints"][0]["url"]
    status, body = desk.simulation.get(url)
    assert (status, json.loads(body)["message"]) == (200, "Hello, notebook!")
    before = desk.simulation.counts()
    desk.run("up")
    made = (desk.simulation.counts() - before).mutations(besides=("s3",))
    assert {call for call in made if call[0] != "ssm"} <= CD
    desk.run("down", "-p", "hello", "--yes")
    assert desk.simulation.problems() == []
    assert nothing_is_left(desk.simulation) == []


def test_api_with_its_database(desk: Desk) -> None:
    shutil.copytree(APPS / "api", desk.folder, dirs_exist_ok=True)
    desk.run("config", "set", "POSTGRES_PASSWORD", "--random", "-p", "api")
    desk.run("up")
    url = desk.services("api")["api"]["endpoints"][0]["url"].rstrip("/")
    points = [{"x": x, "y": 3 * x - 2} for x in range(5)]
    status, body = desk.simulation.get(f"{url}/points", data=json.dumps(points).encode())
    assert (status, json.loads(body)["points"]) == (201, 5)
    assert json.loads(desk.simulation.get(f"{url}/predict?x=10")[1])["y"] == pytest.approx(28)
    desk.run("down", "-p", "api", "--yes")
    assert desk.simulation.client("rds").describe_db_instances()["DBInstances"] == []
    assert desk.simulation.problems() == []
    assert nothing_is_left(desk.simulation) == []


def test_dashboard(desk: Desk) -> None:
    shutil.copytree(APPS / "dashboard", desk.folder, dirs_exist_ok=True)
    desk.run("up")
    url = desk.services("dashboard")["dashboard"]["endpoints"][0]["url"].rstrip("/")
    assert desk.simulation.get(f"{url}/_stcore/health") == (200, "ok")
    assert "Streamlit" in desk.simulation.get(url)[1]
    desk.run("down", "-p", "dashboard", "--yes")
    assert desk.simulation.problems() == []
    assert nothing_is_left(desk.simulation) == []


def test_shop_with_its_stores_workers_and_migration(desk: Desk) -> None:
    """An order goes through the web, the database, the queue and a worker."""
    shutil.copytree(APPS / "shop", desk.folder, dirs_exist_ok=True)
    for key in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        desk.run("config", "set", key, "--random", "-p", "shop")
    desk.run("up")
    services = desk.services("shop")
    assert services["migrate"]["state"] == "exited"
    url = services["web"]["endpoints"][0]["url"].rstrip("/")
    status, body = desk.simulation.get(f"{url}/orders", b"product=Teapot", {"Accept": "application/json"})
    assert status == 201, body
    order = f"{url}/orders/{json.loads(body)['number']}"
    until(lambda: json.loads(desk.simulation.get(order)[1])["state"] == "shipped", "a worker ships it", seconds=60)
    desk.run("down", "-p", "shop", "--yes")
    assert desk.simulation.problems() == []
    assert nothing_is_left(desk.simulation) == []


def nothing_is_left(simulation: Simulation) -> list[str]:
    """What the account has beside the bootstrap, which is kept on purpose."""
    ecs, elb = simulation.client("ecs"), simulation.client("elbv2")
    left = [str(each["LoadBalancerArn"]) for each in elb.describe_load_balancers()["LoadBalancers"]]
    left += [str(each["TargetGroupArn"]) for each in elb.describe_target_groups()["TargetGroups"]]
    left += ecs.list_services(cluster="defang")["serviceArns"]
    left += [each["family"] for each in simulation.tasks() if each["status"] != "STOPPED" and each["family"] != "defang-cd"]
    left += [str(each["Id"]) for each in simulation.client("servicediscovery").list_namespaces()["Namespaces"]]
    groups = simulation.client("logs").describe_log_groups()["logGroups"]
    left += [each["logGroupName"] for each in groups if any(name in each["logGroupName"] for name in PROJECTS)]
    roles = simulation.client("iam").list_roles()["Roles"]
    left += [each["RoleName"] for each in roles if any(name in each["RoleName"] for name in PROJECTS)]
    return left


def test_the_image_of_cd_is_built_by_kaniko_once(desk: Desk, dockerd: Dockerd, registry: Registry) -> None:
    """From the package that is installed here, in the account, with all that it needs."""
    base = f"{registry.address}/docker/library/python:3.13-slim"
    dockerd.docker("tag", "python:3.12-slim", base)
    dockerd.docker("push", "-q", base)
    desk.simulation.runners()
    shutil.copytree(APPS / "hello", desk.folder, dirs_exist_ok=True)
    assert "building cd's image" in desk.run("up")
    assert "building cd's image" not in desk.run("down", "-p", "hello", "--yes")
    [image] = desk.simulation.client("ecr").list_images(repositoryName="defang/cd")["imageIds"]
    assert image["imageTag"].startswith(f"{__version__}-")
    assert desk.simulation.problems() == []

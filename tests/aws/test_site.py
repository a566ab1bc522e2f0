"""A site of static files beside an API, by the command line: from nothing to answering, one file changed, down to nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.handle import Simulation, simulated
from tests.aws.user import User

pytestmark = pytest.mark.e2e

COMPOSE = """\
name: shop
services:
  web:
    x-defang-static-files: {folder: ./public, redirects: [/old=/about, "/*=/index.html"]}
    ports: ["8080:80"]
    depends_on: [api]
  api: {image: nginx, ports: [80], environment: {SITE: "http://web/"}}
"""


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with simulated(log=tmp_path / "aws.log") as simulation:
        found = User(simulation, tmp_path)
        (found.app / "compose.yaml").write_text(COMPOSE)
        public = found.app / "public"
        public.mkdir()
        (public / "index.html").write_text("<h1>shop</h1>")
        (public / "about.html").write_text("about")
        (public / ".env").write_text("TOKEN=hunter2-in-a-file")
        yield found


def services(user: User) -> dict[str, Any]:
    return {each["service"]: each for each in map(json.loads, user.says("ps", "--json").splitlines())}


def test_from_nothing_to_answering_and_to_nothing(user: User) -> None:
    simulation = user.simulation
    first = user.says("up")
    assert "web: ✔ live" in first and "uploading 1 folder" in first
    web = services(user)["web"]
    [endpoint] = web["endpoints"]
    home = endpoint["url"]
    assert endpoint["public"] and f"web: {home}" in first
    assert simulation.visit(f"{home}/").body == b"<h1>shop</h1>"
    assert simulation.visit(f"{home}/about").body == b"about"
    assert simulation.visit(f"{home}/any/where").body == b"<h1>shop</h1>"
    assert simulation.visit(f"{home}/.env").body == b"<h1>shop</h1>", "what is hidden is not there"
    assert simulation.search("hunter2-in-a-file") == []

    assert "nothing to change" in user.says("up")
    assert user.counts.mutations(besides=("ec2",)).keys() <= {("s3", "PutObject"), ("s3", "DeleteObject")}

    (user.app / "public" / "about.html").write_text("about us")
    assert "1 would be updated" in user.says("preview")
    before = len(simulation.bodies())
    said = user.says("up")
    assert "web: ✔ live" in said
    made = [
        each for each in simulation.bodies()[before:] if "defang-site-" in each["address"] and each["operation"][:3] == "Put"
    ]
    assert sorted(each["address"].rpartition("/")[2] for each in made) == ["about", "about.html"]
    assert user.counts.mutations(besides=("ec2", "s3")) == {("cloudfront", "CreateInvalidation"): 1}
    assert simulation.visit(f"{home}/about").body == b"about us"

    assert "deleted" in user.says("down", "--yes")
    assert left(simulation) == []
    assert simulation.problems() == []


def test_what_can_not_be_served_is_said_before_anything_is_touched(user: User) -> None:
    user.change("./public", "./dist")
    said = user.says("up", code=3)
    assert "dist does not exist" in said and "compose.yaml:4" in said
    assert user.counts.total == 0


def left(simulation: Simulation) -> list[str]:
    """What the account has of sites."""
    cloudfront, s3 = simulation.client("cloudfront"), simulation.client("s3")
    found = [each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"].startswith("defang-site-")]
    found += [each["Id"] for each in cloudfront.list_distributions()["DistributionList"].get("Items", ())]
    found += [each["Name"] for each in cloudfront.list_functions()["FunctionList"].get("Items", ())]
    found += [each["Id"] for each in cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", ())]
    return found

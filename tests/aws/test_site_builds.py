"""A site that a build makes, on the simulated AWS: built by the real Kaniko, read out of its image, and served by the edge."""

from __future__ import annotations

import pytest

from tests.aws.test_apps import Desk, desk
from tests.aws.test_site import left

__all__ = ["desk"]
pytestmark = pytest.mark.e2e

COMPOSE = """\
name: shop
services:
  web: {build: ., x-defang-static-files: {folder: dist, redirects: [/old=/about]}, ports: ["8080:80"]}
"""
DOCKERFILE = (
    "FROM python:3.12-slim\nWORKDIR /app\nCOPY make.py .\nRUN mkdir -p dist/docs && touch dist/.env && python3 make.py\n"
)
MAKE = "for name in ('index', 'about', 'docs/index'): open(f'dist/{name}.html', 'w').write(f'{name} 1')\n"


def test_what_a_build_makes_is_served(desk: Desk) -> None:
    (desk.folder / "compose.yaml").write_text(COMPOSE)
    (desk.folder / "Dockerfile").write_text(DOCKERFILE)
    (desk.folder / ".dockerignore").write_text("*\n!make.py\n")
    (desk.folder / "make.py").write_text(MAKE)
    desk.run("up")
    home = desk.services("shop")["web"]["endpoints"][0]["url"]
    visit = desk.simulation.visit
    assert [visit(home + path).body for path in ("/", "/about", "/docs/")] == [b"index 1", b"about 1", b"docs/index 1"]
    assert visit(f"{home}/.env").status == 404
    before = desk.simulation.counts()
    assert "nothing to change" in desk.run("up")
    made = (desk.simulation.counts() - before).mutations(besides=("s3", "ec2", "ssm"))
    assert made.keys() <= {("ecs", "RunTask")}, "cd's own"
    (desk.folder / "make.py").write_text(MAKE.replace("{name} 1", "{name} 2"))
    desk.run("up")
    assert visit(f"{home}/docs/").body == b"docs/index 2"
    desk.run("down", "-p", "shop", "--yes")
    assert left(desk.simulation) == []
    repositories = desk.simulation.client("ecr").describe_repositories()["repositories"]
    assert [each for each in repositories if "shop" in each["repositoryName"]] == []
    assert desk.simulation.problems() == []

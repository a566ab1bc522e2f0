"""Load balancers and stores are made while a build context is packed, on the simulated AWS: packing is held up by the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from defang_nb.build import prepare
from defang_nb.client.stacks import load_stack
from defang_nb.client.workspace import Workspace
from defang_nb.compose import Source, load
from defang_nb.errors import BuildError, DeploymentFailedError
from defang_nb.model.events import Kind
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.view import DeploymentView
from defang_nb.providers.aws.kinds import BALANCER, DATABASE, IMAGE
from tests.aws.handle import HIDDEN, simulated
from tests.aws.user import User
from tests.client.conftest import until
from tests.client.packing import Packing, held, pipes

pytestmark = [pytest.mark.e2e, pipes]

COMPOSE = """\
name: shop
services:
  web: {build: ., ports: [80], depends_on: [db]}
  db: {image: "postgres:16", x-defang-postgres: true, environment: {POSTGRES_PASSWORD: made-up-for-this-test}}
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    with simulated(log=tmp_path / "aws.log") as simulation:
        found = User(simulation, tmp_path)
        for name in HIDDEN:
            monkeypatch.delenv(name, raising=False)
        for name, value in found.environment.items():
            if name.startswith(("AWS_", "DEFANG_")):
                monkeypatch.setenv(name, value)
        (found.app / "compose.yaml").write_text(COMPOSE)
        (found.app / ".dockerignore").write_text("*\n!Dockerfile\n!page.html\n")
        (found.app / "page.html").write_text("hello")
        yield found
        found.says("down", "--yes")
        assert simulation.problems() == []


def packed(user: User) -> AbstractContextManager[Packing]:
    project = load([Source("compose.yaml", COMPOSE)], working_dir=user.app, environ={}).project
    prepared = prepare(project)
    stack = load_stack("prod", user.app)
    images = tuple(each.source for each in prepared)
    request = DeployRequest(deployment=new_id(), kind=Kind.UP, stack=stack, project=project, images=images)
    return held(Workspace(stack), request, prepared, user.app / "page.html")


def made(view: DeploymentView) -> bool:
    """Whether what needs no build is there, or it is over."""
    done = [urn for urn, step in view.steps.items() if step.finished]
    return view.done or all(any(f"/{kind}/" in urn for urn in done) for kind in (BALANCER, DATABASE))


def waiting(view: DeploymentView) -> bool:
    return view.done or view.detail == "uploading build contexts"


def test_the_build_waits_and_nothing_else_does(user: User) -> None:
    with packed(user) as packing:
        until(packing.deployment, made, 120)
        assert waiting(packing.deployment.view)
        assert not [urn for urn in packing.deployment.view.steps if f"/{IMAGE}/" in urn]
        packing.give()
        assert packing.deployment.wait(120).accepted
    assert packing.notes == []

    packing.mend(b"another page")
    with packed(user) as packing:
        until(packing.deployment, waiting)
        kept = packing.contexts
        packing.give(b"ANOTHER PAGE")
        with pytest.raises(DeploymentFailedError, match=rf"{packing.file} changed while it was being packed") as caught:
            packing.deployment.wait(120)
    assert caught.value.exit_code == BuildError.exit_code
    assert (packing.contexts, packing.notes) == (kept, [])
    packing.mend()
    assert "web: ✔ live" in user.says("up")

"""What a workspace packs and uploads, beside what, and what keeps it from that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from defang_nb.build import Prepared, prepare
from defang_nb.client import api, loop
from defang_nb.client.deployment import Deployment
from defang_nb.client.workspace import Workspace
from defang_nb.compose import Source, load
from defang_nb.errors import BuildError, DeploymentCancelledError, DeploymentFailedError, ProviderError
from defang_nb.model.events import Kind
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.stack import Stack
from defang_nb.model.view import DeploymentView
from defang_nb.provision.ports import ObjectStore
from tests.client.conftest import App, until
from tests.client.packing import Packing, held, pipes


class SlowStore:
    """The stack's real store, into which uploads get as soon as the gate is open; `failing`: they then fail."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.gate = asyncio.Event()
        self.failing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def upload(self, key: str, path: Path) -> None:
        await self.gate.wait()
        if self.failing:
            raise ProviderError("the line is cut", hint="mend it")
        await self._store.upload(key, path)


class Away:
    """The stack's real provider, with a slow way to its store."""

    def __init__(self, workspace: Workspace) -> None:
        self._provider = workspace.provider
        self._store = SlowStore(loop.run(workspace.provider.store()))
        workspace.provider = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def store(self) -> SlowStore:
        return self._store

    def open(self, *, failing: bool = False) -> None:
        self._store.failing = failing
        loop.call_soon(self._store.gate.set)

    @property
    def notes(self) -> list[str]:
        return loop.run(self._store.list("uploads/"))  # type: ignore[no-any-return]


def asked(folder: Path, text: str) -> tuple[DeployRequest, list[Prepared]]:
    project = load([Source("compose.yaml", text)], working_dir=folder, environ={}, project_name="shop").project
    prepared = prepare(project)
    images = tuple(each.source for each in prepared)
    stack = Stack(name="local", provider="local")
    return DeployRequest(deployment=new_id(), kind=Kind.UP, stack=stack, project=project, images=images), prepared


def test_a_context_that_changes_while_it_is_packed_is_told_by_its_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "a.txt").write_text("before")
    request, prepared = asked(tmp_path, "services: {web: {build: .}}")
    (tmp_path / "a.txt").write_text("after")
    with pytest.raises(BuildError, match=r"a\.txt changed while it was being packed"):
        asyncio.run(Workspace(request.stack).start(request, prepared, lambda _: None))


def provisioned(view: DeploymentView) -> bool:
    return any(step.finished for step in view.steps.values()) and bool(view.detail)


@pytest.fixture
def uploading(app: App) -> tuple[Deployment, Away]:
    """A deployment of which everything is made that its build is not needed for, while its context is still on its way."""
    request, prepared = asked(app.folder, (app.folder / "compose.yaml").read_text())
    workspace = Workspace(request.stack)
    away = Away(workspace)
    deployment = Deployment.begin(workspace, request, prepared)
    until(deployment, provisioned)
    assert not deployment.done
    assert deployment.begun
    assert not deployment.accepted, "it still needs this process"
    assert not any("image" in urn for urn in deployment.view.steps), "which can't be built yet"
    assert deployment.view.detail == "uploading build contexts"
    return deployment, away


def test_what_needs_no_build_is_made_while_contexts_are_uploaded(uploading: tuple[Deployment, Away], app: App) -> None:
    deployment, away = uploading
    app.open()
    away.open()
    assert deployment.wait_accepted(60).wait(60).accepted
    with urlopen(deployment.endpoints["web"], timeout=10) as answer:
        assert answer.status == 200
    assert away.notes == []


def test_an_upload_that_fails_fails_what_needs_it(uploading: tuple[Deployment, Away], app: App) -> None:
    deployment, away = uploading
    away.open(failing=True)
    what = f"the build context {app.folder} could not be uploaded: the line is cut"
    with pytest.raises(DeploymentFailedError, match=what) as caught:
        deployment.wait(60)
    assert caught.value.hint == "mend it"
    assert away.notes == []


def test_a_deployment_is_cancelled_while_contexts_are_uploaded(uploading: tuple[Deployment, Away]) -> None:
    deployment, away = uploading
    deployment.cancel()
    with pytest.raises(DeploymentCancelledError):
        deployment.wait(60)
    assert away.notes == []


@pytest.fixture
def packing(app: App) -> Iterator[Packing]:
    """A deployment of which everything is made that its build is not needed for, while its context is still being packed."""
    (app.folder / "page.html").write_text("the last file")
    request, prepared = asked(app.folder, (app.folder / "compose.yaml").read_text())
    with held(Workspace(request.stack), request, prepared, app.folder / "app.py") as packing:
        until(packing.deployment, provisioned)
        assert packing.deployment.begun
        assert not packing.deployment.accepted, "it still needs this process"
        assert not any("image" in urn for urn in packing.deployment.view.steps), "which can't be built yet"
        assert packing.deployment.view.detail == "uploading build contexts"
        assert packing.contexts == []
        yield packing


@pipes
def test_what_needs_no_build_is_made_while_contexts_are_packed(packing: Packing, app: App) -> None:
    app.open()
    packing.give()
    deployment = packing.deployment.wait(60)
    assert deployment.accepted
    with urlopen(deployment.endpoints["web"], timeout=10) as answer:
        assert answer.status == 200
    assert packing.notes == []
    assert len(packing.contexts) == 1


@pipes
@pytest.mark.parametrize("gone", [False, True])
def test_a_context_that_changes_while_all_else_is_made_is_built_by_the_next_up(packing: Packing, app: App, gone: bool) -> None:
    last = app.folder / "page.html"
    if gone:
        last.unlink()
        what = rf"can't pack {last}: No such file"
    else:
        last.write_text("another one!!")
        what = rf"{last} changed while it was being packed"
    packing.give()
    with pytest.raises(DeploymentFailedError, match=what) as caught:
        packing.deployment.wait(60)
    assert "name the file in .dockerignore" in caught.value.hint
    assert caught.value.exit_code == BuildError.exit_code
    assert (packing.contexts, packing.notes) == ([], [])
    packing.mend()
    app.open()
    assert api.up(working_dir=app.folder).services["web"].state.value == "DEPLOYMENT_COMPLETED"


@pipes
def test_a_workspace_that_leaves_while_it_packs_is_not_waited_for(packing: Packing) -> None:
    packing.deployment.leave()
    with pytest.raises(DeploymentFailedError, match="who was at it is gone") as caught:
        packing.deployment.wait(30)
    assert caught.value.hint == "run `up` again: what was uploaded stays"
    assert (packing.contexts, packing.notes) == ([], [])


@pipes
def test_a_deployment_is_cancelled_while_contexts_are_packed(packing: Packing) -> None:
    packing.deployment.cancel()
    with pytest.raises(DeploymentCancelledError):
        packing.deployment.wait(60)
    packing.give()
    assert (packing.contexts, packing.notes) == ([], [])

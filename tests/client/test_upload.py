"""What a workspace uploads, and what keeps it from that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from defang_nb.build import prepare
from defang_nb.client.workspace import Workspace
from defang_nb.compose import Source, load
from defang_nb.errors import BuildError
from defang_nb.model.events import Kind
from defang_nb.model.request import DeployRequest, new_id
from defang_nb.model.stack import Stack


def test_a_context_that_changes_while_it_is_packed_is_told_by_its_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "a.txt").write_text("before")
    text = "services: {web: {build: .}}"
    project = load([Source("compose.yaml", text)], working_dir=tmp_path, environ={}, project_name="shop").project
    prepared = prepare(project)
    (tmp_path / "a.txt").write_text("after")
    stack = Stack(name="local", provider="local")
    images = tuple(each.source for each in prepared)
    request = DeployRequest(deployment=new_id(), kind=Kind.UP, stack=stack, project=project, images=images)
    with pytest.raises(BuildError, match=r"a\.txt changed while it was being packed"):
        asyncio.run(Workspace(stack).start(request, prepared, lambda _: None))

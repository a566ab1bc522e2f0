"""One Compose file with static files, by each local engine: the same paths have the same answers, redirects and all.

That AWS gives the same is held by `tests/providers/aws/test_alike.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from defang_nb.client import api
from defang_nb.providers.local.process import ports
from tests.e2e.dockerd import Dockerd
from tests.providers.aws.sites import FILES, written
from tests.providers.aws.test_alike import MORE, PATHS, REDIRECTS, asked, served, told

pytestmark = pytest.mark.e2e

FALLBACK = "/*=/index.html"


@pytest.fixture(params=["process", "docker"])
def engine(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "docker":
        dockerd: Dockerd = request.getfixturevalue("dockerd")
        dockerd.docker("tag", "python:3.12-slim", "python:3-slim")
        monkeypatch.setenv("DOCKER_HOST", dockerd.host)
    monkeypatch.setenv("DEFANG_ENGINE", request.param)
    yield request.param
    api.down("shop", yes=True)


def test_a_folder_beside_the_compose_file_is_served(engine: str, tmp_path: Path) -> None:
    folder, port = tmp_path / "shop", ports.free(())
    written(folder / "public", {**FILES, **MORE})
    said = ", ".join(f"'{each}'" for each in (*REDIRECTS, FALLBACK))
    compose = f"""\
name: shop
services:
  web:
    x-defang-static-files: {{folder: ./public, redirects: [{said}]}}
    ports: ["{port}:80"]
"""
    (folder / "compose.yaml").write_text(compose)
    done = api.up(working_dir=folder)
    assert done.endpoints["web"].rstrip("/") == f"http://127.0.0.1:{port}"
    with served(folder / "public", *REDIRECTS, FALLBACK) as model:
        for path in PATHS:
            assert (path, told(asked(port, path))) == (path, told(asked(model, path)))
    (folder / "public" / "style.css").write_text("changed")
    found = asked(port, "/style.css")
    assert found is not None and found.body == b"changed", "a folder of this machine is served as it is now"
    assert api.up(working_dir=folder).view.plan.mutations == ()

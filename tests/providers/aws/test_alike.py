"""Static files answer alike on AWS and here: one folder, asked for the same paths at the edge and at the local server."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.aws.edge import NODE
from tests.aws.handle import ROOT, Simulation, Visit, until
from tests.providers.aws.sites import FILES, written
from tests.providers.aws.stage import Stage
from tests.providers.aws.test_sites import up, url

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not NODE, reason="functions of the edge are run by node")]

SERVER = ROOT / "defang_nb" / "providers" / "local" / "process" / "shim" / "serve.py"
REDIRECTS = ("/old=/about", "/moved=https://example.org/x?y=1", "/about=/nowhere", "/style.css=/nowhere", "/caf%C3%A9=/docs/")
MORE = {
    "about/team.html": "team",
    "café/index.html": "coffee",
    "empty/deep/x.json": "{}",
    "index.html.html": "odd",
    "LICENSE": "free",
}
PATHS = (
    "/", "/index.html", "/index", "/about", "/about.html", "/about/", "/about/team", "/about/team.html", "/docs", "/docs/",
    "/docs/index.html", "/docs/index", "/docs/a%20b.txt", "/style.css", "/style", "/old", "/old/", "/moved", "/caf%C3%A9",
    "/caf%C3%A9/", "/nowhere", "/nowhere/", "/empty", "/empty/", "/empty/deep/x.json", "/LICENSE",
    "/assets/main.3f2a9c1b.js", "/docs/?x=1", "/old?x=1",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])


@contextlib.contextmanager
def served(folder: Path, *redirects: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-I", "-S", str(SERVER), str(folder), str(port), *redirects]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ)) as process:
        try:
            until(lambda: asked(port, "/") is not None, "it listens")
            yield port
        finally:
            process.terminate()


def asked(port: int, path: str) -> Visit | None:
    there = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        there.request("GET", path)
        answer = there.getresponse()
        return Visit(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    except ConnectionError:
        return None
    finally:
        there.close()


def told(visit: Visit | None) -> tuple[int, str, str, bytes]:
    """Status, where it leads to, and what is there, without what each server says in its own words."""
    assert visit is not None
    there = urlsplit(visit.headers.get("location", ""))
    location = there._replace(scheme="", netloc="").geturl() if there.netloc.startswith(("127.", "d")) else there.geturl()
    found = visit.status == 200
    return (
        visit.status,
        location,
        visit.headers["content-type"].partition(";")[0] if found else "",
        visit.body if found else b"",
    )


@pytest.mark.parametrize("fallback", ["", "/*=/index.html", "/*=/about.html"])
async def test_the_same_paths_have_the_same_answers(
    stage: Stage, simulation: Simulation, tmp_path: Path, fallback: str
) -> None:
    folder = written(tmp_path / "site", {**FILES, **MORE})
    redirects = [*REDIRECTS, *([fallback] if fallback else [])]
    said = ", ".join(f"'{each}'" for each in redirects)
    await up(stage, f"services:\n  web: {{x-defang-static-files: {{folder: ., redirects: [{said}]}}}}\n", folder)
    home = await url(stage)
    with served(folder, *redirects) as port:
        for path in PATHS:
            assert (path, told(simulation.visit(home + path))) == (path, told(asked(port, path)))
    assert simulation.problems() == []

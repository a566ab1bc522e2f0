"""Commands, restarts and usage of a service that a real cd deployed, by the API, the command line and a notebook's cell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from defang_nb.client import api
from defang_nb.client.deployment import Deployment
from defang_nb.errors import LeaseHeldError, NotFoundError, ProviderError, UsageError
from tests.client.conftest import App


def test_a_deployed_service_can_be_asked_restarted_and_measured(app: App, home: Path) -> None:
    app.open()
    api.up(working_dir=app.folder)
    found = api.execute("web", ["sh", "-c", "cat; ls; exit 4"], given="given\n", project="shop")
    assert (found.exit_code, found.output) == (4, "given\nDockerfile\napp.py\n")
    (before,) = api.ps()
    (after,) = api.restart("web", project="shop")
    assert (after.state, after.healthy, after.endpoints) == ("running", True, before.endpoints)
    assert after.pids != before.pids
    (usage,) = next(sample for sample in api.stats(project="shop") if sample)  # one may fall between two processes
    assert (usage.service, usage.processes) == ("web", 1)
    assert usage.memory > 0
    assert api.up(working_dir=app.folder).view.message == "nothing to change"
    for ask in (lambda: api.execute("wbe", ["ls"], project="shop"), lambda: api.stats("wbe", project="shop")):
        with pytest.raises(NotFoundError, match="no service 'wbe'"):
            ask()
    with pytest.raises(UsageError, match="which command"):
        api.execute("web", [], project="shop")
    (work,) = home.glob("stacks/local/services/shop/web/root/srv/app.py")
    work.write_text("raise SystemExit('no')")
    with pytest.raises(ProviderError, match="web did not get well within 1 s"):
        api.restart(project="shop", wait=1)


def test_the_command_line_passes_on_streams_and_the_exit_code(app: App) -> None:
    app.open()
    api.up(working_dir=app.folder)

    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "defang_nb", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, cwd=app.folder)

    done = run("exec", "-e", "A=1", "-w", "/srv", "web", "--", "sh", "-c", "cat; echo $A -x >&2; exit 3", "--x", given="given")
    assert (done.returncode, done.stdout, done.stderr) == (3, "given", "1 -x\n")
    table = run("stats")
    assert (table.returncode, table.stderr) == (0, "")
    assert "MiB" in table.stdout, "where nothing can be drawn anew, one sample"
    lines = run("stats", "--json", "-n", "2", "web").stdout.splitlines()
    assert len(lines) == 2
    assert '"memory":' in lines[0]
    wrong = run("restart", "wbe")
    assert wrong.returncode == NotFoundError.exit_code
    assert "did you mean web?" in wrong.stderr


def test_while_a_deployment_goes_on_nothing_is_restarted(begun: Deployment) -> None:
    with pytest.raises(LeaseHeldError, match=begun.id):
        api.restart("web", project="shop")

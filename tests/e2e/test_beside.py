"""exec, restart and stats on real containers, through the Python API and the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from defang_nb.client import api
from defang_nb.client.session import RunningCommand
from defang_nb.errors import NotFoundError
from defang_nb.model.execution import TerminalSize
from tests.e2e.dockerd import Dockerd

pytestmark = pytest.mark.e2e

COMPOSE = """
name: beside
services:
  web:
    image: busybox
    command: sh -c 'echo began; httpd -f -p 8000'
    ports: ["8000"]
    working_dir: /srv
    environment: {GREETING: hi, TOKEN: }
    healthcheck: {test: wget -qO- http://127.0.0.1:8000/ || true, interval: 1s}
    deploy: {replicas: 2, resources: {limits: {memory: 64M}}}
    depends_on: [store]
  store:
    image: busybox
    command: sh -c 'trap exit TERM; while true; do sleep 0.1; done'
    volumes: [kept:/data]
  job:
    image: busybox
    command: "true"
    restart: "no"
volumes: {kept: {}}
"""
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def app(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("beside")
    (folder / "compose.yaml").write_text(COMPOSE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", dockerd.host)
        patch.setenv("DEFANG_ENGINE", "docker")
        patch.setenv("DEFANG_NB_HOME", str(folder / "home"))
        patch.setenv("DEFANG_CD_IDLE", "2")
        patch.chdir(folder)
        api.config_set("TOKEN", SECRET)
        api.up()
        yield folder
        api.down(yes=True)


def text(command: RunningCommand) -> str:
    return b"".join(each.data for each in command.output()).decode()


def test_a_command_runs_in_the_container(app: Path) -> None:
    found = api.execute("web", ["sh", "-c", "pwd; echo $GREETING $TOKEN $MORE; echo oops >&2; exit 5"], env={"MORE": "more"})
    assert (found.exit_code, found.output, found.errors) == (5, f"/srv\nhi {SECRET} more\n", "oops\n")
    names = {api.execute("web", ["hostname"], replica=number).output for number in (1, 2)}
    assert len(names) == 2
    assert api.execute("web", ["id", "-u"], user="1234", workdir="/").output == "1234\n"
    missing = api.execute("web", ["no-such-program"])
    assert missing.exit_code in (126, 127)
    assert "no-such-program" in missing.output + missing.errors
    with api.start_exec("web", ["sh", "-c", "echo $TOKEN"], masked=True) as running:
        assert text(running) == "••••\n"


def test_much_passes_both_ways(app: Path) -> None:
    data = os.urandom(300_000).hex()
    assert api.execute("web", ["cat"], given=data).output == data


def test_a_terminal_has_a_size_and_its_keys(app: Path) -> None:
    # An engine that can't be told the size at the start is told a moment later.
    sized = "until stty size | grep -q '{}'; do :; done; stty size;"
    script = f"{sized.format('33 44')} read x; {sized.format('7 9')} cat"
    with api.start_exec("web", ["sh", "-c", script], terminal=TerminalSize(33, 44)) as running:
        written = b""
        for each in running.output():
            written += each.data
            if written.endswith(b"33 44\r\n"):
                running.resize(TerminalSize(7, 9))
                running.write(b"\n")
            elif written.endswith(b"7 9\r\n"):
                running.write(b"\x03")
        assert running.wait() == 128 + signal.SIGINT


def test_closing_ends_the_command(app: Path) -> None:
    with api.start_exec("web", ["sh", "-c", "echo on; sleep 600"]) as running:
        next(iter(running.output()))
    assert "sleep 600" not in api.execute("web", ["ps"]).output


def test_what_can_t_be_had_is_said(app: Path) -> None:
    with pytest.raises(NotFoundError, match="no replica 3"):
        api.execute("web", ["ls"], replica=3)
    with pytest.raises(NotFoundError, match="does not run now"):
        api.execute("job", ["ls"])
    with pytest.raises(NotFoundError, match="'wbe'"):
        api.execute("wbe", ["ls"])
    for follow in (False, True):
        with pytest.raises(NotFoundError, match="'wbe'"):
            next(api.logs("wbe", follow=follow))


def test_restarted_containers_are_the_same_ones(app: Path, dockerd: Dockerd) -> None:
    def started() -> dict[str, tuple[str, str]]:
        with dockerd.client() as client:
            found = client.containers.list(all=True, filters={"label": "io.defang.nb.project=beside"})
            return {each.name: (each.id, each.attrs["State"]["StartedAt"]) for each in found}

    before = started()
    statuses = api.restart()
    after = started()
    assert sorted(each.service for each in statuses) == ["store", "web"], "what has done its work is left alone"
    assert all(each.state == "running" for each in statuses)
    assert {name: id_ for name, (id_, _) in before.items()} == {name: id_ for name, (id_, _) in after.items()}
    again = {name for name in before if before[name] != after[name]}
    assert {name.split("-")[-2] for name in again} == {"store", "web"}
    assert api.up().view.message == "nothing to change"


def test_usage_is_as_the_engine_counts_it(app: Path) -> None:
    samples = api.stats()
    first, second = next(samples), next(samples)
    samples.close()
    assert [(each.service, each.replica) for each in first] == [("store", 1), ("web", 1), ("web", 2)]
    web = second[1]
    assert web.limit == 64 * 2**20
    assert 0 < web.memory < web.limit
    assert web.processes >= 1
    assert all(0 <= each.cpu < 8 for each in second)


def test_the_command_line_passes_on_streams_and_exit_codes(app: Path) -> None:
    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "defang_nb", *arguments], input=given, capture_output=True, text=True)

    done = run("exec", "-e", "A=1", "web", "sh", "-c", "cat; echo $A >&2; exit 3", given="given")
    assert (done.returncode, done.stdout, done.stderr) == (3, "given", "1\n")
    table = run("stats", "--no-stream").stdout
    assert "web.2" in table
    assert "MiB of 64.0 MiB" in table or "KiB of 64.0 MiB" in table

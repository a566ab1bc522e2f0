"""Services, jobs and sites as real processes under a real supervisord."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from pathlib import Path

import psutil
import pytest

from defang_nb.errors import DeploymentFailedError
from defang_nb.model.events import LogLine
from defang_nb.model.status import LogQuery
from defang_nb.providers.local.config import FileConfigStore
from defang_nb.providers.local.process import logs, orphans
from defang_nb.providers.local.process.engine import Engine
from defang_nb.providers.local.process.status import status
from defang_nb.providers.local.process.types.service import JobType, ServiceType, SiteType
from tests.providers.local.process.conftest import Driver, Service, eventually, fetch, files_with, python

SECRET = "correct horse battery"


@pytest.fixture
def driver(engine: Engine) -> Driver:
    return Driver({each.name: each for each in (ServiceType(engine), JobType(engine), SiteType(engine))})


def leader(engine: Engine, name: str = "p.web.1") -> psutil.Process:
    note = orphans.read_note(engine.supervisor.pid_file(name))
    assert note
    return psutil.Process(note.pid)


async def test_answers_on_its_port_of_this_machine_and_only_there(
    driver: Driver, service: Service, free_port: int, engine: Engine
) -> None:
    web = service()
    await driver.create(web)
    assert await fetch(free_port) == "hello"
    listening = {each.laddr for each in leader(engine).net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", free_port)}, "0.0.0.0 becomes the loopback address, 8000 the port given here"
    assert driver.outputs[web.urn]["endpoints"] == [{"url": f"http://127.0.0.1:{free_port}", "port": 8000, "public": True}]


async def test_delete_ends_every_process_and_the_manager(driver: Driver, service: Service, engine: Engine) -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, 'server.py', '8000'])"
    web = service(command=[sys.executable, "-c", script])
    await driver.create(web)
    group = orphans.members(leader(engine).pid)
    assert len(group) == 2
    manager = psutil.Process(int((engine.supervisor.folder / "supervisord.pid").read_text()))
    await driver.delete(web)
    await engine.supervisor.end_if_idle()
    assert orphans.wait([*group, manager], 0) == []
    assert not engine.supervisor.socket.exists()


async def test_an_update_starts_it_anew_with_the_new_environment(driver: Driver, service: Service, free_port: int) -> None:
    await driver.create(service(environment={"ANSWER": "one"}))
    await driver.update(service(environment={"ANSWER": "two"}))
    assert await fetch(free_port) == "two"


async def test_a_crash_at_start_ends_the_wait_with_its_last_words(driver: Driver, service: Service) -> None:
    broken = service(command=python("print('no such table'); raise SystemExit(3)"))
    with pytest.raises(DeploymentFailedError, match="web exited with code 3"):
        await driver.create(broken)
    assert LogLine(service="web", line="no such table") in driver.events
    assert not await driver.live(broken)


async def test_a_program_that_is_not_there_is_named(driver: Driver, service: Service) -> None:
    with pytest.raises(DeploymentFailedError, match="web exited with code 127"):
        await driver.create(service(command=["no-such-program"], restart="no"))
    assert any(isinstance(each, LogLine) and "no-such-program" in each.line for each in driver.events)


async def test_an_ended_service_that_shall_restart_comes_back(
    driver: Driver, service: Service, engine: Engine, free_port: int
) -> None:
    web = service()
    await driver.create(web)
    await eventually(lambda: engine.supervisor._infos()["p.web.1"].state == "RUNNING", "counted as started")
    leader(engine).kill()
    await eventually(lambda: engine.supervisor.starts("p.web.1") == 2, "started again")
    shown = await status(engine, "p")
    assert (shown[0].service, shown[0].restarts) == ("web", 1)


async def test_a_health_check_is_waited_for(driver: Driver, service: Service) -> None:
    check = {"test": ["CMD", "curl", "-f", "http://localhost:8000/"], "interval": 1, "retries": 1}
    await driver.create(service(healthcheck=check))
    failing = service(healthcheck=check | {"retries": 1}, environment={"STATUS": "500"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("defang_nb.providers.local.process.types.service._SHORTEST_BUDGET", 1.0)
        with pytest.raises(DeploymentFailedError, match="did not become healthy in 1 s: HTTP 500"):
            await driver.update(failing)


async def test_a_health_command_runs_in_the_services_environment(driver: Driver, service: Service) -> None:
    script = "import os, sys; sys.exit(os.environ['ANSWER'] != 'well' or not os.path.exists('server.py'))"
    check = {"test": ["CMD", sys.executable, "-c", script], "interval": 1, "retries": 1}
    await driver.create(service(healthcheck=check, environment={"ANSWER": "well"}))


async def test_a_server_on_another_port_is_told_where_it_listens(driver: Driver, service: Service, free_port: int) -> None:
    elsewhere = service(command=[sys.executable, "server.py", "0"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("defang_nb.providers.local.process.types.service._PORT_BUDGET", 2.0)
        with pytest.raises(DeploymentFailedError, match="did not become healthy") as caught:
            await driver.create(elsewhere)
    assert f"rather than {free_port}" in caught.value.hint


async def test_another_s_answer_on_its_port_is_not_the_service_s(driver: Driver, service: Service, free_port: int) -> None:
    silent = service(command=[sys.executable, "-c", "import time; time.sleep(60)"])
    with socket.create_server(("127.0.0.1", free_port)), pytest.MonkeyPatch.context() as patch:
        patch.setattr("defang_nb.providers.local.process.types.service._PORT_BUDGET", 1.0)
        with pytest.raises(DeploymentFailedError, match=rf"\(process {os.getpid()}\) answers on port {free_port}"):
            await driver.create(silent)


async def test_a_job_is_ready_when_it_has_ended_well(driver: Driver, service: Service, engine: Engine) -> None:
    job = service("migrate", type_="local:process/Job", command=python("print('migrated')"))
    await driver.create(job)
    assert await driver.live(job)
    shown = (await status(engine, "p"))[0]
    assert (shown.state, shown.exit_code) == ("exited", 0)
    with pytest.raises(DeploymentFailedError, match="migrate exited with code 4"):
        await driver.update(service("migrate", type_="local:process/Job", command=python("raise SystemExit(4)")))


async def test_replicas_each_have_a_process_and_a_log(driver: Driver, service: Service, engine: Engine) -> None:
    worker = service(
        "worker",
        ports={},
        listens=[],
        endpoints=[],
        replicas=2,
        command=python("print('up', flush=True); import time; time.sleep(999)"),
    )
    await driver.create(worker)
    records = [each async for each in logs.read(engine.paths.logs / "p", LogQuery())]
    assert sorted((each.replica, each.line) for each in records) == [(1, "up"), (2, "up")]
    assert (await status(engine, "p"))[0].running == 2


async def test_a_site_serves_its_folder(driver: Driver, service: Service, tmp_path: Path, free_port: int) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text("<h1>site</h1>")
    site = service(type_="local:process/Site", image="", folder=str(tmp_path / "public"), redirects=[])
    await driver.create(site)
    assert await fetch(free_port) == "<h1>site</h1>"


async def test_a_volume_outlives_the_service(driver: Driver, service: Service, engine: Engine, free_port: int) -> None:
    mounts = [{"kind": "volume", "source": "data", "target": "/app/data"}]
    script = "open('data/' + 'kept', 'a').write('x'); import runpy, sys; sys.argv[1:] = ['8000']; runpy.run_path('server.py')"
    web = service(mounts=mounts, command=python(script))
    await driver.create(web)
    await driver.delete(web)
    await driver.create(web)
    assert (engine.data("p", "volumes") / "data" / "kept").read_text() == "xx"


async def test_secrets_reach_the_program_and_nothing_else(
    driver: Driver, service: Service, engine: Engine, config: FileConfigStore, free_port: int, tmp_path: Path
) -> None:
    await config.set("p", "KEY", SECRET)
    environment = {"ANSWER": {"$join": ["token ", {"$config": "KEY"}]}, "TOKEN": {"$config": "KEY"}}
    await driver.create(service(environment=environment))
    assert await fetch(free_port) == f"token {SECRET}"
    process = leader(engine)
    assert SECRET not in " ".join(process.cmdline())
    assert files_with(SECRET, tmp_path, engine.paths.config) == []
    launch = engine.folder("p", "web") / "launch.1.json"
    assert stat.S_IMODE(launch.stat().st_mode) == 0o600
    log = engine.log("p", "web", 1)
    await eventually(lambda: "serving with ••••" in log.read_text(), "the log says it, masked")
    assert SECRET not in repr(driver.events)


async def test_a_missing_secret_stops_the_start_by_name(driver: Driver, service: Service) -> None:
    with pytest.raises(DeploymentFailedError, match="exited with code 78"):
        await driver.create(service(environment={"TOKEN": {"$config": "KEY"}}, restart="no"))
    assert LogLine(service="web", line="the configuration value KEY is not set") in driver.events


async def test_a_dead_manager_is_replaced_without_duplicates(
    driver: Driver, service: Service, engine: Engine, free_port: int
) -> None:
    web = service()
    await driver.create(web)
    old = leader(engine)
    os.kill(int((engine.supervisor.folder / "supervisord.pid").read_text()), signal.SIGKILL)
    await eventually(lambda: not engine.supervisor._answers(), "the manager is gone")
    assert old.is_running() and not await driver.live(web)
    await driver.create(web)
    assert not old.is_running() or old.status() == psutil.STATUS_ZOMBIE
    assert len(orphans.marked(engine.paths.root, "p.web.1")) >= 1
    assert await fetch(free_port) == "hello"
    others = [each for each in orphans.marked(engine.paths.root) if "server.py" in each.cmdline()]
    assert len({os.getpgid(each.pid) for each in others}) == 1


async def test_find_adopts_what_was_made(driver: Driver, service: Service, engine: Engine) -> None:
    web = service()
    assert await driver.types[web.type].find(web.urn) is None
    await driver.create(web, ready=False)
    found = await driver.types[web.type].find(web.urn)
    assert found == driver.made[web.urn]


async def test_the_plain_postgres_rule_is_applied_after_secrets_are_known(
    driver: Driver, service: Service, config: FileConfigStore, free_port: int
) -> None:
    await config.set("p", "SSL_MODE", "require")
    environment = {"ANSWER": {"$join": ["postgresql://h/db?sslmode=", {"$config": "SSL_MODE"}]}}
    await driver.create(service(environment=environment, plain_postgres=True))
    assert await fetch(free_port) == "postgresql://h/db?sslmode=disable"


async def test_port_in_the_environment_is_expanded_where_no_shell_does(
    driver: Driver, service: Service, free_port: int
) -> None:
    await driver.create(service(command=[sys.executable, "server.py", "${PORT:-80}"]))
    assert await fetch(free_port) == "hello"

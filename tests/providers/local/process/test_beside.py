"""Commands beside a service, restarts and what processes use: with real ones under a real supervisord."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import psutil
import pytest

from defang_nb.errors import NotFoundError, ProviderError, UsageError
from defang_nb.model.execution import Execution, TerminalSize
from defang_nb.model.value import Json
from defang_nb.providers.local.config import FileConfigStore
from defang_nb.providers.local.process import orphans
from defang_nb.providers.local.process.engine import Engine, program
from defang_nb.providers.local.process.restarting import restart
from defang_nb.providers.local.process.sessions import ProcessSession, execute
from defang_nb.providers.local.process.types.service import JobType, ServiceType
from defang_nb.providers.local.process.usage import usage
from tests.providers.local.process.conftest import Driver, Service, eventually, fetch, python

SECRET = "correct horse battery"


@pytest.fixture
def driver(engine: Engine) -> Driver:
    return Driver({each.name: each for each in (ServiceType(engine), JobType(engine))})


@asynccontextmanager
async def running(engine: Engine, *command: str, **wish: Json) -> AsyncIterator[ProcessSession]:
    session = await execute(engine, "p", Execution(service="web", command=command, **wish))
    try:
        yield session
    finally:
        await session.close()


async def output(session: ProcessSession, *, error: bool = False) -> str:
    return b"".join([each.data async for each in session.output() if each.error is error]).decode()


def leader(engine: Engine, name: str = "p.web.1") -> psutil.Process:
    note = orphans.read_note(engine.supervisor.pid_file(name))
    assert note
    return psutil.Process(note.pid)


async def test_a_command_has_the_services_environment_folder_files_and_secrets(
    driver: Driver, service: Service, engine: Engine, config: FileConfigStore
) -> None:
    await config.set("p", "TOKEN", SECRET)
    await driver.create(service(environment={"TOKEN": {"$config": "TOKEN"}, "ANSWER": "hi"}))
    words = ["sh", "-c", 'echo "$ANSWER $TOKEN $MORE"; ls; ls /app; echo oops >&2; exit 5']
    async with running(engine, *words, env={"MORE": "more"}) as session:
        assert await output(session) == f"hi {SECRET} more\nserver.py\nserver.py\n"
        assert await session.wait() == 5
    async with running(engine, "sh", "-c", "echo $TOKEN; echo a $TOKEN >&2; printf '%s' \"$TOKEN\"", masked=True) as session:
        assert await output(session) == "••••\n••••"
    async with running(engine, "sh", "-c", "echo oops $ANSWER >&2") as session:
        assert await output(session, error=True) == "oops hi\n"
    assert not any(SECRET in word for each in psutil.process_iter() for word in _words(each))


def _words(process: psutil.Process) -> Sequence[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


async def test_what_is_given_arrives_byte_by_byte_however_much(driver: Driver, service: Service, engine: Engine) -> None:
    await driver.create(service())
    data = os.urandom(1_000_000)
    async with running(engine, "cat") as session:

        async def feed() -> None:
            await session.write(data)
            await session.write(b"")

        feeding = asyncio.create_task(feed())
        assert b"".join([each.data async for each in session.output()]) == data
        await feeding
        await session.write(b"too late is fine")


async def test_a_terminal_has_a_size_and_its_keys(driver: Driver, service: Service, engine: Engine) -> None:
    await driver.create(service())
    async with running(engine, "sh", "-c", "stty size; read x; stty size; cat", terminal=TerminalSize(33, 44)) as session:
        written = b""
        async for each in session.output():
            written += each.data
            if written.endswith(b"33 44\r\n"):
                await session.resize(TerminalSize(7, 9))
                await session.write(b"\n")
            elif written.endswith(b"7 9\r\n"):
                await session.write(b"hi\n")
            # The terminal's echo, then cat's: a shell loses a key that comes before that.
            elif written.endswith(b"hi\r\nhi\r\n"):
                await session.write(b"\x03")
        assert await session.wait() == 128 + signal.SIGINT


async def test_a_command_gets_the_signals_that_its_parents_ignore(driver: Driver, service: Service, engine: Engine) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell has it for what runs in its background
    try:
        await driver.create(service())
        async with running(engine, "sh", "-c", "yes | head -1; kill -INT $$; echo alive") as session:
            assert await output(session) == "y\n"
            assert await session.wait() == 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


async def test_what_is_left_in_the_background_holds_nobody_up_and_ends_with_the_service(
    driver: Driver, service: Service, engine: Engine
) -> None:
    web = service()
    await driver.create(web)
    async with running(engine, "sh", "-c", "sleep 600 & echo $!") as session:
        pid = int(await output(session))
    left = psutil.Process(pid)
    assert left.is_running()
    await driver.delete(web)
    assert orphans.wait([left], 0) == []


async def test_closing_ends_a_command_that_goes_on_without_its_terminal(
    driver: Driver, service: Service, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    await driver.create(service())
    script = "import signal, time; signal.signal(1, signal.SIG_IGN); print(1, flush=True)\n"
    async with running(engine, sys.executable, "-c", script + "time.sleep(600)") as session:
        async for _ in session.output():
            break
    assert await session.wait() == 128 + signal.SIGTERM
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_what_can_t_be_run_is_said(driver: Driver, service: Service, engine: Engine) -> None:
    await driver.create(service())
    async with running(engine, "no-such-program") as session:
        assert "can't run 'no-such-program'" in await output(session, error=True)
        assert await session.wait() == 127
    for wish, error in (
        ({"replica": 2}, NotFoundError), ({"workdir": "/nowhere"}, NotFoundError), ({"user": "root"}, UsageError),
    ):  # fmt: skip
        with pytest.raises(error):
            async with running(engine, "ls", **wish):
                pass


async def test_a_restart_begins_anew_with_todays_configuration(
    driver: Driver, service: Service, engine: Engine, config: FileConfigStore, free_port: int
) -> None:
    await config.set("p", "TOKEN", "one")
    await driver.create(service(environment={"ANSWER": {"$config": "TOKEN"}}))
    await config.set("p", "TOKEN", "two")
    before = leader(engine)
    await restart(engine, "p", ["web"])
    assert not before.is_running()
    await eventually(lambda: engine.supervisor.starts("p.web.1") == 1, "started")
    for _ in range(400):
        with suppress(OSError):
            assert await fetch(free_port) == "two"
            break
        await asyncio.sleep(0.05)
    assert await driver.live(service(environment={"ANSWER": {"$config": "TOKEN"}})), "for the next up nothing has changed"


async def test_a_job_runs_again_when_it_is_named(driver: Driver, service: Service, engine: Engine) -> None:
    await driver.create(service("job", type_="local:process/Job", command=python("print('ran')")))
    await restart(engine, "p", ["job"])
    log = engine.log("p", "job", 1)
    await eventually(lambda: log.read_text().count("ran\n") == 2, "ran again")


async def test_a_service_that_is_gone_can_t_be_restarted(driver: Driver, service: Service, engine: Engine) -> None:
    await driver.create(service())
    await engine.supervisor.remove("p.web.1")
    with pytest.raises(ProviderError, match="kept by the process manager no more"):
        await restart(engine, "p", ["web"])


async def test_usage_is_of_all_processes_of_a_replica_and_of_no_others(
    driver: Driver, service: Service, engine: Engine, free_port: int
) -> None:
    # One child in a session of its own, as PostgreSQL's are, that works all the time.
    script = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'while True: pass'], start_new_session=True)\n"
    script += "subprocess.run([sys.executable, 'server.py', '8000'])"
    await driver.create(service(command=python(script)))
    await driver.create(service("idle", command=python("import time; time.sleep(600)"), ports={}, listens=[], endpoints=[]))
    samples = usage(engine, "p", [])
    try:
        idle, web = sorted(await anext(samples), key=lambda each: each.service)
    finally:
        await samples.aclose()
    assert (web.processes, idle.processes) == (3, 1)
    assert web.cpu > 0.01 > idle.cpu
    own = psutil.Process(leader(engine, program("p", "idle", 1)).pid).memory_info()
    assert 0 < idle.memory <= own.rss
    assert web.memory > idle.memory
    only = usage(engine, "p", ["idle"])
    assert [each.service for each in await anext(only)] == ["idle"]
    await only.aclose()
